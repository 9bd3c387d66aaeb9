"""Conversations that are kept: what was said, turn by turn, in the database and nowhere else.

    messages  `SavedMessage` and its parts, and what a model is told of them    chats   `Chat` and lists of them
    book      `ChatBook`: create, append, list, search, rename, branch, delete  titles  a conversation's title

Handed a `Database`, limits, the time and randomness. What people say never reaches a log: errors name conversations by id.
"""
