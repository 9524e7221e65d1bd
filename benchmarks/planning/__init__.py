"""Planning past one machine: what a job costs, measured here, and a simulation of many machines made of that.

`measuring/` asks real processes what a job costs them; `model/` is the simulation, which knows nothing but
those costs; `validate.py` compares the two where both can be had; the rest turns it into docs/planning.md.
"""
