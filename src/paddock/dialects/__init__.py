"""Wire formats, both ways: bodies to the vocabulary's requests, events to responses and chunks. Pure; knows no server."""
