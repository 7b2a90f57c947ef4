"""Properties: the native engine held to the reference, the UPDATE decoder held to an independent codec."""
