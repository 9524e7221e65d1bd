"""What the parts that use an SQL database have in common: addresses, engines, threads, errors, spans.

SQLAlchemy comes with the extra `penstock[sql]`; nothing here names a table.
"""
