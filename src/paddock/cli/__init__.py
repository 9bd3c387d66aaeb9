"""The command line, one file per noun. Talks to a running server, else opens the library in-process."""
