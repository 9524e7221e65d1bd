"""One file for each peer; it and `peers/child.py` run in the peer's environment, on the standard library."""
