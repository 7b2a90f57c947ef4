"""The control socket: how `routingctl` (and any script) asks the running daemon. JSON lines over a unix socket."""
