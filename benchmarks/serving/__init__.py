"""Whoever is measured: whole servers over HTTP, each in processes of its own, and Paddock's engine without its server.

`environments` makes the peers' virtual environments, `contenders` starts who is named, `arena` keeps all but one still.
"""
