"""Closing an asyncio stream, TLS or not, as often as its owners find it useful."""

from __future__ import annotations

import asyncio


def close_once(writer: asyncio.StreamWriter) -> None:
    """What was written still goes out. asyncio of Debian 12 (Python 3.11.2) drops half of a TLS transport that is
    closed twice, and then cannot abort it."""
    if not writer.is_closing():
        writer.close()
