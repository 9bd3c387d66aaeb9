"""What a model is: facts read from files, metadata and names; whether it will run; how much memory it takes.

Pure functions over data. Entries are data files, not code. Is handed readers for headers; opens no socket and no
database.
"""
