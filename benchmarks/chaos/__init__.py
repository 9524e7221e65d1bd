"""Real processes under every fault at once, and three witnesses that nothing was lost or done twice.

Each witness is gathered without the others: the history that workers and submitters write themselves, the
server's own append-only file, and the records as they stand at the end.
"""
