"""The reference engine alone: each step of selection, recursion, groups, feeds, export."""
