"""The two engines under one name: they have the same interface and meaning (native/_native.pyi documents both)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import native
    from rib.reference import ReferenceEngine

    Engine = native.Engine | ReferenceEngine

DIGEST_KEY: Final = bytes(16)  # of a FIB that nobody else holds


def engine_of(wanted: str | Engine, asn: int, router_id: bytes) -> Engine:
    """A new engine of a kind, or one that is there already."""
    if not isinstance(wanted, str):
        return wanted
    if wanted == "native":
        import native

        return native.Engine(router_id=router_id, asn=asn, digest_key=DIGEST_KEY)
    if wanted == "reference":
        from rib.reference import ReferenceEngine

        return ReferenceEngine(router_id=router_id, asn=asn, digest_key=DIGEST_KEY)
    raise ValueError(f'no such engine: {wanted!r} ("native", "reference", or an engine object)')
