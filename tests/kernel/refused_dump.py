"""An ncpd whose kernel cannot be read when its model is made anew, as changes break every dump, but for the third
attempt."""

from __future__ import annotations

import errno
import sys

from kernel.netlink import NetlinkError
from kernel.routes import Adopter, adopt
from routingd import agent_main
from routingd.agent import process

_begun = 0


def _refused(model: Adopter, table: int, protocol: int) -> tuple[int, int]:
    global _begun
    _begun += 1
    if _begun in (2, 3):
        raise NetlinkError(errno.EINTR, "the table changed during each of 10 dumps")
    return adopt(model, table, protocol)


if __name__ == "__main__":
    process.adopt = _refused
    sys.exit(agent_main.run(sys.argv[1:]))
