"""The composition root: command line, settings, embedded server; wires engine, HTTP and telemetry together.

Nobody imports it; it imports everybody.
"""
