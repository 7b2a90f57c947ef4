//! The decision process: elimination from the set, step by step, with the step that decided (RFC 4271 9.1.2.2, RFC 4456 9).
//! `rib/selection.py` says the same in Python; property tests hold one to the other.

use super::source::Kind;
use crate::prefix::Ip;

/// Numbers as in `rib/step.py`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Step {
    None = 0,
    Only = 1,
    Distance = 2,
    Protocol = 3,
    Metric = 4,
    LocalPref = 5,
    AsPathLength = 6,
    Origin = 7,
    Med = 8,
    EbgpOverIbgp = 9,
    IgpMetric = 10,
    RouterId = 11,
    ClusterListLength = 12,
    PeerAddress = 13,
    PathId = 14,
    Source = 15,
}

pub const STEP_NAMES: [&str; 16] = [
    "none",
    "only",
    "distance",
    "protocol",
    "metric",
    "local-pref",
    "as-path-length",
    "origin",
    "med",
    "ebgp-over-ibgp",
    "igp-metric",
    "router-id",
    "cluster-list-length",
    "peer-address",
    "path-id",
    "source",
];

impl Step {
    pub fn name(self) -> &'static str {
        STEP_NAMES[self as usize]
    }
}

/// A usable path, with all that selection looks at.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    pub path: u32,
    pub kind: Kind,
    pub ebgp: bool,
    pub origin: u8,
    pub cluster_len: u8,
    pub path_len: u16,
    pub distance: u32,
    pub metric: u32,
    pub local_pref: u32,
    pub med: u32,
    pub neighbor_as: u32,
    pub igp_metric: u32,
    pub router_id: u32,
    pub address: Ip,
    pub path_id: u32,
    pub source: u32,
}

/// Where losers are reported: (path, the step at which it went).
pub type Losers<'a> = &'a mut dyn FnMut(u32, Step);

/// Leaves the best candidate first; the step that decided.
pub fn select(c: &mut Vec<Candidate>, lost: Losers<'_>) -> Option<(u32, Step)> {
    if c.len() == 1 {
        return Some((c[0].path, Step::Only));
    }
    let first_kind = c.first()?.kind;
    if c.iter().all(|x| x.kind == first_kind) {
        let step = within_kind(c, first_kind, lost);
        return Some((c[0].path, step));
    }
    let mut winners: Vec<Candidate> = Vec::with_capacity(3);
    for kind in [Kind::Connected, Kind::Static, Kind::Bgp] {
        let mut group: Vec<Candidate> = c.iter().filter(|x| x.kind == kind).copied().collect();
        if group.len() > 1 {
            within_kind(&mut group, kind, lost);
        }
        winners.extend(group.first());
    }
    let nearest = winners.iter().map(|w| w.distance).min()?;
    let mut step = Step::Distance;
    winners.retain(|w| {
        if w.distance > nearest {
            lost(w.path, Step::Distance);
        }
        w.distance == nearest
    });
    if winners.len() > 1 {
        step = Step::Protocol; // the lowest kind is first
        winners[1..]
            .iter()
            .for_each(|w| lost(w.path, Step::Protocol));
    }
    *c = winners;
    Some((c[0].path, step))
}

fn within_kind(c: &mut Vec<Candidate>, kind: Kind, lost: Losers<'_>) -> Step {
    if kind == Kind::Bgp {
        within_bgp(c, lost)
    } else {
        keep_least(c, Step::Distance, |x| x.distance, lost)
            .or_else(|| keep_least(c, Step::Metric, |x| x.metric, lost))
            .or_else(|| keep_least(c, Step::Source, |x| x.source, lost))
            .or_else(|| keep_least(c, Step::PathId, |x| x.path_id, lost))
            .unwrap_or(Step::Only)
    }
}

fn within_bgp(c: &mut Vec<Candidate>, lost: Losers<'_>) -> Step {
    // RFC 4271 9.1.1: the degree of preference comes first
    keep_least(c, Step::LocalPref, |x| u32::MAX - x.local_pref, lost)
        .or_else(|| keep_least(c, Step::AsPathLength, |x| x.path_len, lost)) // 9.1.2.2 a
        .or_else(|| keep_least(c, Step::Origin, |x| x.origin, lost)) // b
        .or_else(|| compare_med(c, lost)) // c
        .or_else(|| keep_least(c, Step::EbgpOverIbgp, |x| !x.ebgp, lost)) // d
        .or_else(|| keep_least(c, Step::IgpMetric, |x| x.igp_metric, lost)) // e
        .or_else(|| keep_least(c, Step::RouterId, |x| x.router_id, lost)) // f, RFC 4456 9
        .or_else(|| keep_least(c, Step::ClusterListLength, |x| x.cluster_len, lost)) // RFC 4456 9
        .or_else(|| keep_least(c, Step::PeerAddress, |x| x.address, lost)) // g
        .or_else(|| keep_least(c, Step::PathId, |x| x.path_id, lost))
        .or_else(|| keep_least(c, Step::Source, |x| x.source, lost))
        .unwrap_or(Step::Only)
}

/// Keeps the candidates with the least key; `Some(step)` when that left one.
fn keep_least<K: Ord + Copy>(
    c: &mut Vec<Candidate>,
    step: Step,
    key: impl Fn(&Candidate) -> K,
    lost: Losers<'_>,
) -> Option<Step> {
    let least = c.iter().map(&key).min()?;
    c.retain(|x| {
        let stays = key(x) == least;
        if !stays {
            lost(x.path, step);
        }
        stays
    });
    (c.len() == 1).then_some(step)
}

/// RFC 4271 9.1.2.2 c: a path goes if another of the same neighbouring AS has a lower MED.
fn compare_med(c: &mut Vec<Candidate>, lost: Losers<'_>) -> Option<Step> {
    let all: Vec<(u32, u32)> = c.iter().map(|x| (x.neighbor_as, x.med)).collect();
    c.retain(|x| {
        let stays = !all
            .iter()
            .any(|&(asn, med)| asn == x.neighbor_as && med < x.med);
        if !stays {
            lost(x.path, Step::Med);
        }
        stays
    });
    (c.len() == 1).then_some(Step::Med)
}
