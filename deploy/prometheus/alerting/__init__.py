"""What Prometheus is to record and to alert on; `python -m prometheus.alerting` makes files of it.

Written in Python because four windows, two budgets and every metric's name would otherwise stand there many
times; the files it makes are committed and are what Prometheus reads.
"""
