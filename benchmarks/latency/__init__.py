"""How long jobs take from when they should have been submitted: an open loop, which waits for nobody."""
