//! Routes that are well-formed and yet not taken: each becomes a withdrawal, and is counted.

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
}

impl Refusal {
    pub const NAMES: [&'static str; 4] = ["own-as", "own-originator", "otc-leak", "cluster-loop"];
}
