//! Routes that are well-formed and yet not taken: each becomes a withdrawal, and is counted.

use super::as_path;

/// Why a well-formed route is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// RFC 4271 9.1.2.
    OwnAs = 0,
    /// RFC 4456 8.
    OwnOriginator = 1,
    /// RFC 9234 5.
    OtcLeak = 2,
    /// RFC 4456 8.
    ClusterLoop = 3,
    /// RFC 4271 6.3.
    FirstAs = 4,
    AsPathTooLong = 5,
    AttributesTooLong = 6,
    /// More paths of one prefix than are taken (RFC 7911 has no bound); the RIB's to find.
    TooManyPaths = 7,
}

impl Refusal {
    pub const NAMES: [&'static str; 8] = [
        "own-as",
        "own-originator",
        "otc-leak",
        "cluster-loop",
        "first-as",
        "as-path-too-long",
        "attributes-too-long",
        "too-many-paths",
    ];
}

/// What is asked of a peer's routes beyond being well-formed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Demands {
    /// An external peer's AS stands first in AS_PATH (RFC 4271 6.3).
    pub first_as: bool,
    /// How often our own AS may stand in AS_PATH; not at all by RFC 4271 9.1.2.
    pub own_as: usize,
    /// The longest AS_PATH, as RFC 4271 9.1.2.2 a counts.
    pub as_path: u16,
    /// Octets of all attributes together, in canonical form.
    pub attributes: usize,
}

impl Default for Demands {
    fn default() -> Self {
        Demands {
            first_as: false,
            own_as: 0,
            as_path: u16::MAX,
            attributes: usize::MAX,
        }
    }
}

impl Demands {
    /// Why a path of this length is not taken; `first`: the AS that must stand first.
    pub fn path(
        &self,
        path: &[u8],
        length: u16,
        own: (u32, u32),
        first: Option<u32>,
    ) -> Option<Refusal> {
        if as_path::occurrences(path, own) > self.own_as {
            Some(Refusal::OwnAs)
        } else if self.first_as && first.is_some_and(|asn| as_path::neighbor(path) != asn) {
            Some(Refusal::FirstAs)
        } else if length > self.as_path {
            Some(Refusal::AsPathTooLong)
        } else {
            None
        }
    }
}
