"""The prefixes of ``blobs.table``, for those who compare kernels with them."""

from __future__ import annotations

from functools import cache

from bench.measured import Context
from bench.sessions import Session
from tests.lab import tables
from tests.lab.tables import Table


def table(context: Context, session: Session, prefixes: int) -> Table:
    return _made(context.size(prefixes), session)


@cache
def _made(prefixes: int, session: Session) -> Table:
    return tables.generate(prefixes, family=session.family, first_asn=session.asn, next_hop=session.local)
