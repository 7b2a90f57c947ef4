"""Configuration: one tree of models, read from YAML with errors that name file, line and path."""
