"""The central RIB's Python face and its reference engine."""
