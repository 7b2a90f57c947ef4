"""What may break, broken on purpose: the failure matrix (matrix.py) and its rows."""
