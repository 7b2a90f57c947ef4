"""An ncpd that takes a second to empty its kernel, as one with a million routes does."""

from __future__ import annotations

import sys
import time

from kernel.routes import BatchSource, Failure, drain
from routingd import agent_main
from routingd.agent import process


def _slowly(model: BatchSource, portid: int) -> list[Failure]:
    time.sleep(1.0)
    return drain(model, portid)


if __name__ == "__main__":
    process.drain = _slowly
    sys.exit(agent_main.run(sys.argv[1:]))
