"""A simulation of one cell: a server, those who submit to it and the workers of its queues.

Cells share nothing, because a queue lives on one server: many machines are many cells. All times are seconds.
"""
