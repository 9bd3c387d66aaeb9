"""How a model family speaks: what its template wants, where its thoughts and tool calls are in its text, what ends its turn.

Pure: text in, parts out. The runner renders and tokenizes; whoever wants a family asks `detection.family_of`.
A family is one file; a model that none knows gets the plain one.
"""
