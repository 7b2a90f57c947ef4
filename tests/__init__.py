"""Tests of everything; tests/lab is the library of namespaces and real peers that they share with the demo and the benchmark."""
