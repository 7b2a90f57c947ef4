"""FIB distribution: the protocol between routingd and ncpd, its two ends without I/O."""
