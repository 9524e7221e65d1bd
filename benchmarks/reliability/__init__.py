"""Seven cases in which job queues lose, repeat or delay work: Penstock and, on demand, its peers."""
