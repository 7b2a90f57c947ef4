"""routingctl: the one command line, however many boxes the router has."""
