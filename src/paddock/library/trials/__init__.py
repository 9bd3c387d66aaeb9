"""A trial shows what a model really can: it is loaded, timed, and asked a few questions whose answers can be judged.

Handed a record and a loaded model; keeps what came out by revision, so that capabilities can say *measured*.
"""
