"""The only code that opens kernel and network-facing sockets."""
