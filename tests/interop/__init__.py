"""Tests with other people's daemons in network namespaces."""
