"""The steps of route selection, in the order they are tried; the native engine uses the same numbers."""

from enum import IntEnum


class Step(IntEnum):
    """Why a path is best, or at which step it lost. 5 to 19 are BGP's: RFC 4271 9.1.1 and 9.1.2.2, RFC 4456 9,
    RFC 5004, RFC 7311 4.1, RFC 9494 4.3."""

    NONE = 0
    ONLY = 1
    DISTANCE = 2
    PROTOCOL = 3
    METRIC = 4
    STALE = 5
    WEIGHT = 6
    LOCAL_PREF = 7
    AIGP = 8
    AS_PATH_LENGTH = 9
    ORIGIN = 10
    MED = 11
    EBGP_OVER_IBGP = 12
    IGP_METRIC = 13
    OLDEST = 14
    ROUTER_ID = 15
    CLUSTER_LIST_LENGTH = 16
    PEER_ADDRESS = 17
    PATH_ID = 18
    SOURCE = 19

    @property
    def label(self) -> str:
        return self.name.lower().replace("_", "-")
