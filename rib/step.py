"""The steps of route selection, in the order they are tried; the native engine uses the same numbers."""

from enum import IntEnum


class Step(IntEnum):
    """Why a path is best, or at which step it lost. 5 to 18 are BGP's: RFC 4271 9.1.1 and 9.1.2.2, RFC 4456 9,
    RFC 5004, RFC 7311 4.1."""

    NONE = 0
    ONLY = 1
    DISTANCE = 2
    PROTOCOL = 3
    METRIC = 4
    WEIGHT = 5
    LOCAL_PREF = 6
    AIGP = 7
    AS_PATH_LENGTH = 8
    ORIGIN = 9
    MED = 10
    EBGP_OVER_IBGP = 11
    IGP_METRIC = 12
    OLDEST = 13
    ROUTER_ID = 14
    CLUSTER_LIST_LENGTH = 15
    PEER_ADDRESS = 16
    PATH_ID = 17
    SOURCE = 18

    @property
    def label(self) -> str:
        return self.name.lower().replace("_", "-")
