"""What is logged, in which words, and how a line leaves."""
