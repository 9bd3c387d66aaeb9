"""Whoever can answer a chat request behind one protocol; today the models in memory here.

Handed a pool, the library's names and the settings. Knows no HTTP: routes call a `Provider`, dialects speak the wire.
"""
