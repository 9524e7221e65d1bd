"""What all benchmarks share: turns taken in turn, figures kept as JSON, tables, progress.

The machine may be half as fast the next minute, and other programs run on it. So whatever is compared takes
short turns one after another, each in a process of its own with a server of its own, there and back; the
first turns, in which things are used for the first time, do not count. What is reported is medians, quartiles
and ratios of turns of the same round.
"""
