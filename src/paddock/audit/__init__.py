"""Who asked what of whom, and what came of it: a row a request, each sealed to the one before.

    record   one request while it runs, and as it is kept    trail    what rooms behind the edge write into it
    journal  writes rows, some at a time, off the hot path   ledger   reads, checks, exports and prunes them
    rows     into the table, in the driver's own words
    filters  which rows                                      summary  what many come to
    prices   what an answer costs

Handed a database, the vault (for prompts, where they are wanted) and the time. No prompt is kept unless somebody asks.
"""
