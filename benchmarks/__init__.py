"""Figures worth trusting: interleaved runs, medians and spread, ratios before absolutes."""
