"""How cost grows: with processes, with what waits, with tenants, with queues, with the size of a payload."""
