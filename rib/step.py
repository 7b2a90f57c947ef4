"""The steps of route selection, in the order they are tried; the native engine uses the same numbers."""

from enum import IntEnum


class Step(IntEnum):
    """Why a path is best, or at which step it lost. 5 to 13 are RFC 4271 9.1.1, 9.1.2.2 and RFC 4456 9."""

    NONE = 0
    ONLY = 1
    DISTANCE = 2
    PROTOCOL = 3
    METRIC = 4
    LOCAL_PREF = 5
    AS_PATH_LENGTH = 6
    ORIGIN = 7
    MED = 8
    EBGP_OVER_IBGP = 9
    IGP_METRIC = 10
    ROUTER_ID = 11
    CLUSTER_LIST_LENGTH = 12
    PEER_ADDRESS = 13
    PATH_ID = 14
    SOURCE = 15

    @property
    def label(self) -> str:
        return self.name.lower().replace("_", "-")
