"""Batching policy in plain Python: who runs in the next step, on which blocks, and what their new tokens mean.

Owns sequences, the queue, the scheduler, blocks of KV cache and the prefix index. Knows no device, no asyncio, no threads:
`schedule()` and `update()` are ordinary calls. Is handed limits and a clock.

    checks       what is wrong with a request           scheduler   the way in and out
    sequence     one request on its way                 roster      who waits, who runs
    queue        who is next, with ageing               planning    the next step, over a paged cache
    blocks       who holds which block                  solo        the next step, where nothing can be paged
    prefix       which prompts lie in which blocks      pace        how much fits in a step
    paging       what each sequence holds of these      speculation guesses, and how well they went
    slots        a cache cut into equal parts           slot_planner the next step, over such a cache
    step         the contract with the device           outcome     what a step meant for a sequence
"""
