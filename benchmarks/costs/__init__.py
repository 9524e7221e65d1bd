"""Where each microsecond of the hot path goes: samples of a worker at work, by what the code is for."""
