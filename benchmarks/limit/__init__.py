"""How fast it could be: the server's work and the bytes alone, with no engine around them."""
