"""Tests of everything; tests/lab is the library of namespaces and real peers, shared with the demo and benchmarks."""
