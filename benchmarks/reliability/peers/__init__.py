"""The same job for each peer; they run in environments of their own, made on demand."""
