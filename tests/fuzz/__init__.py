"""Hostile bytes by the million: inputs that reach new code are kept and changed further (docs/adr/0008-fuzzing.md)."""
