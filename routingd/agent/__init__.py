"""The ncpd process: one box's agent. ``routingd.agent_main`` is its entry; here are its parts."""
