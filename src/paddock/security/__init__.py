"""Secrets and people: the keys of others that are kept here, and who may ask this server for what.

    vault       keys of providers, sealed      data_keys   what they are sealed with, wrapped by a master key
    master      where the master key is kept   rotation    new keys for old, while everything goes on
    backup      all of it in one sealed file   sealing     JWE: texts that only a key opens

Handed a database, a place for the master key and the time. Values travel as `SecretStr`, which shows itself as stars.
"""
