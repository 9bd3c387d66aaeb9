"""Who asked what of whom, and what came of it: a row a request, each sealed to the one before.

    record      one request while it runs, and as it is kept    journal   writes rows, some at a time, off the hot path
    ledger      reads, checks, exports and prunes them          prices    what an answer costs
    filters     which rows                                      summary   what many come to

Handed a database, the vault (for prompts, where they are wanted) and the time. No prompt is kept unless somebody asks.
"""
