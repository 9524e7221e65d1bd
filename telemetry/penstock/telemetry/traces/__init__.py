"""How a job becomes spans: their sorts, their family and how they end."""
