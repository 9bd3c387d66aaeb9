"""Paddock as a Python API: the same objects in this process or against a running server, async and sync."""
