"""The commands, one file per noun. Each is a function of its words, its `flags` and the `desk` that it works at."""
