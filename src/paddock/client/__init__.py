"""Paddock for programs: `paddock.open()`, in this process or through a running server, with one interface for both.

Also how the command line speaks with the server of its home.
"""
