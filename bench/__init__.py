"""Benchmarks: whole programs against each other, on the same work, in one run."""
