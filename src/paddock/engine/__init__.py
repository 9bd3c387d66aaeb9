"""Batching policy in plain Python: who runs in the next step, on which blocks, and what their new tokens mean.

Owns sequences, the queue, the scheduler, blocks of KV cache and the prefix index. Knows no device, no asyncio, no threads:
`schedule()` and `update()` are ordinary calls. Is handed limits and a clock.
"""
