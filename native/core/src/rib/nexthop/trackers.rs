//! Trackers: one for each next hop that some path names and that may or may not be reachable. A next hop with a port follows that
//! port, any other what the tables of its instance say of its address.

use super::sets::Target;
use super::Ids;
use crate::prefix::AnyPrefix;
use crate::rib::memory::hashed;
use crate::rib::source::Kind;

/// Why a next hop is not resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reason {
    #[default]
    NoRoute,
    /// RFC 4271 5.1.3
    OwnAddress,
    /// It moved until the last round.
    Loop,
    NoPort,
    OnlyDefault,
    PortDown,
}

impl Reason {
    pub fn text(self) -> &'static str {
        match self {
            Reason::NoRoute => "no route",
            Reason::OwnAddress => "own address",
            Reason::Loop => "loop",
            Reason::NoPort => "link-local next hop without a port",
            Reason::OnlyDefault => "only the default route",
            Reason::PortDown => "port down",
        }
    }
}

/// Where it leads: adjacencies with their weights. Not resolved: none, and metric 0.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Resolution {
    pub metric: u32,
    pub adjacencies: Vec<(u32, u16)>,
}

impl Resolution {
    pub fn resolved(&self) -> bool {
        !self.adjacencies.is_empty()
    }
}

#[derive(Debug)]
pub struct Tracker {
    pub target: Target,
    pub(super) refs: u32,
    /// Sets that have a hop here, and groups in use that have.
    pub users: Ids,
    pub groups: Ids,
    /// Trackers whose resolution its look-up read, ascending, and those that read this one's.
    pub depends: Vec<u32>,
    pub dependents: Ids,
    /// Entries of shorter prefixes than this its look-up did not come to.
    pub reach: u8,
    /// No later than this round of a settlement from nothing does it come to its resolution.
    pub rank: u8,
    /// It moved until the last round, so it counts as unresolved.
    pub unstable: bool,
    /// Only rounds from nothing tell its resolution.
    pub tangled: bool,
    /// A tangled one may depend on it, so that what touches it asks for rounds.
    pub watched: bool,
    /// Waits to be looked at.
    pub marked: bool,
    pub resolution: Resolution,
    /// What it resolved by, for people; and else why it did not.
    pub via: Option<(AnyPrefix, Kind)>,
    pub reason: Reason,
    /// When the resolution last changed, by the engine's clock in seconds, and how.
    pub changed: u32,
    pub change: String,
    pub vacant: bool,
}

impl Tracker {
    pub(super) fn new(target: Target) -> Tracker {
        Tracker {
            target,
            refs: 1,
            users: Ids::default(),
            groups: Ids::default(),
            depends: Vec::new(),
            dependents: Ids::default(),
            reach: 0,
            rank: 0,
            unstable: false,
            tangled: false,
            watched: false,
            marked: false,
            resolution: Resolution::default(),
            via: None,
            reason: Reason::NoRoute,
            changed: 0,
            change: String::new(),
            vacant: false,
        }
    }

    /// What it holds beside its slot.
    pub(super) fn bytes(&self) -> usize {
        let ids = [&self.users, &self.groups, &self.dependents];
        ids.iter()
            .map(|i| hashed::<u32>(i.capacity()))
            .sum::<usize>()
            + self.depends.capacity() * size_of::<u32>()
            + self.resolution.adjacencies.capacity() * size_of::<(u32, u16)>()
            + self.change.capacity()
    }

    /// It follows a port, not the tables.
    pub fn direct(&self) -> bool {
        self.target.port != 0
    }
}
