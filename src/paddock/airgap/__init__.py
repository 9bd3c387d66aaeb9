"""Keeping to this machine: where a socket may lead, what holds processes to it, and the ledger of what was turned down.

Handed the path of the ledger by whoever resolves the settings. Rooms that reach out ask an `Airgap` before they do; a hook in
each process of ours, and the kernel where it can, hold what would not ask.
"""
