"""The dashboard in a real browser against the real server, and what it is built from."""
