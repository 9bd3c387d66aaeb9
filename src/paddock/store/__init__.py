"""Where files are: layout, content checks, free space and locks.

Owns Paddock's own model folder. Is handed paths and a free-space reader; knows neither network nor database.
"""
