"""The HTTP edge: takes requests apart, guards what comes in, writes answers out. Decides nothing about models.

Handed everything by `app.py`: the provider that answers, the pool, the library, metrics, settings. Never imports MLX.
"""
