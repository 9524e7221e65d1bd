"""Where finished spans go, and what that may cost nobody."""
