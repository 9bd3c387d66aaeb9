"""The models you own: one service that CLI, API and dashboard all call.

Owns plans, pulls, the list, adoption, exchange, lock files and clean-up. Is handed settings, a database, sources and a clock.
Async; blocking work (network, disk) runs in worker threads.
"""
