"""Dashboards for Grafana, written here and made into JSON by `python -m grafana`.

Plain dictionaries and a handful of functions: Grafana's own SDK for Python (grafana-foundation-sdk) follows
Grafana's versions under odd version numbers, and all that is needed of the format is in `panel.py` and
`dashboard.py`. Expressions may ask only for metrics and labels that there are.
"""
