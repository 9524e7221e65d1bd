"""docs/benchmarks.md and its pictures, made of the results of the benchmarks."""
