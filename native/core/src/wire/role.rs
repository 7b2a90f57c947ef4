//! What a role does with a route: the Only to Customer attribute (RFC 9234 5). Between IPv4 and IPv6 unicast peers of different ASes.

/// Ours on a session, by its code in the capability (RFC 9234 4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The peer is our customer.
    Provider = 0,
    RouteServer = 1,
    RsClient = 2,
    /// The peer is our provider.
    Customer = 3,
    Peer = 4,
}

/// What becomes of a route that came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ingress {
    AsItCame,
    /// It gets OTC with the peer's AS number.
    Marked,
    Leak,
}

impl Role {
    pub fn of(code: u8) -> Option<Role> {
        Some(match code {
            0 => Role::Provider,
            1 => Role::RouteServer,
            2 => Role::RsClient,
            3 => Role::Customer,
            4 => Role::Peer,
            _ => return None,
        })
    }

    /// RFC 9234 5, ingress: who may not have a route but from below must not pass it up, nor aside.
    pub fn ingress(self, otc: Option<u32>, peer_asn: u32) -> Ingress {
        match (self, otc) {
            (Role::Provider | Role::RouteServer, Some(_)) => Ingress::Leak,
            (Role::Peer, Some(asn)) if asn != peer_asn => Ingress::Leak,
            (Role::Customer | Role::RsClient | Role::Peer, None) => Ingress::Marked,
            _ => Ingress::AsItCame,
        }
    }

    /// RFC 9234 5, egress 2: what came from above or aside goes to customers alone.
    pub fn may_tell(self, otc: bool) -> bool {
        !otc || matches!(self, Role::Provider | Role::RouteServer)
    }

    /// RFC 9234 5, egress 1: whether a route without OTC leaves with our AS number in one.
    pub fn marks(self) -> bool {
        matches!(self, Role::Provider | Role::RouteServer | Role::Peer)
    }
}
