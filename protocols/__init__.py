"""Protocol speakers: one package each, without I/O."""
