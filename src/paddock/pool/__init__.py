"""Models in memory: who is loaded, who may use it, who leaves when room is needed.

Handed a `Fleet` to start runners with, a way to find a model's record, what a model is predicted to take, the pool's settings
and the machine's free memory. Decisions are pure functions; the pool acts on them.
"""
