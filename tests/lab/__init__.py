"""Labs made of Linux network namespaces: real peers, routers under test, traffic, and what their own tools say about
them.

One module per concept: ``lab`` (namespaces, links, clean-up), ``process``, ``waiting``, ``attributes`` (what a
route's attributes are, whoever tells them), ``updates`` (UPDATE messages), ``tables`` and ``mrt`` (where routes come
from), ``speaker`` and ``feeder`` (a BGP speaker that only moves bytes), ``bird``, ``frr``, ``exabgp``, ``gobgp``,
``openbgpd`` (peers), ``router`` (routingd and its agents), ``kernel`` (what Linux forwards by), ``probes`` (ping and
traceroute).
"""
