"""The composition root: daemon, agent main, configuration, control socket, CLI."""
