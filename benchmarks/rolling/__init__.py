"""A rolling update with real processes: all APIs and workers are replaced by ones of a newer version.

Load goes on all the while, and whoever submits notes every answer. The server's append-only file, the
workers' logs and the records at the end are asked what became of each job.
"""
