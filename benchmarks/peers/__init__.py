"""Other job queues, each in an environment of its own, with its authors' fast settings."""
