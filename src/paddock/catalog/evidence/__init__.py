"""One module a kind of evidence about a model; each turns it into Clues and knows nothing of the others."""
