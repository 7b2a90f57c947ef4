//! The decision process: elimination from the set, step by step, with the step that decided (RFC 4271 9.1.2.2, RFC 4456 9,
//! RFC 7311 4.1). `rib/selection.py` says the same in Python; property tests hold one to the other.

use std::cmp::Ordering;

use super::compare::{by_metric, by_nearness, by_preference, by_tie_break, Verdict};
use super::infos::Info;
use super::options::Options;
use super::source::{Kind, Source};
use super::table::Path;

/// Numbers as in `rib/step.py`, in the order in which they are tried: of those at which paths went, the greatest decided.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Step {
    None = 0,
    Only = 1,
    Distance = 2,
    Protocol = 3,
    Metric = 4,
    Stale = 5,
    Weight = 6,
    LocalPref = 7,
    Aigp = 8,
    AsPathLength = 9,
    Origin = 10,
    Med = 11,
    EbgpOverIbgp = 12,
    IgpMetric = 13,
    Oldest = 14,
    RouterId = 15,
    ClusterListLength = 16,
    PeerAddress = 17,
    PathId = 18,
    Source = 19,
}

pub const STEP_NAMES: [&str; 20] = [
    "none",
    "only",
    "distance",
    "protocol",
    "metric",
    "stale",
    "weight",
    "local-pref",
    "aigp",
    "as-path-length",
    "origin",
    "med",
    "ebgp-over-ibgp",
    "igp-metric",
    "oldest",
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
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// Its slot in the table.
    pub path: u32,
    pub igp_metric: u32,
    /// Long-lived stale (RFC 9494 4.3), here or where it comes from.
    pub stale: bool,
    pub given: &'a Path,
    pub info: &'a Info,
    pub source: &'a Source,
}

impl Candidate<'_> {
    pub fn distance(&self) -> u32 {
        self.info.distance.unwrap_or(self.source.distance)
    }

    pub fn local_pref(&self, o: &Options) -> u32 {
        let told = self.info.summary.local_pref;
        told.unwrap_or(o.default_local_pref)
    }

    /// (false, AIGP and the way to the next hop together), or (true, 0) without AIGP: the least is best.
    pub fn aigp(&self) -> (bool, u64) {
        match self.info.aigp() {
            Some(n) => (false, n.saturating_add(self.igp_metric.into())),
            None => (true, 0),
        }
    }

    pub fn med(&self, o: &Options) -> u32 {
        let missing = if o.missing_med_as_worst { u32::MAX } else { 0 };
        self.info.summary.med.unwrap_or(missing)
    }

    /// Whom its MED is compared among.
    pub fn med_group(&self, o: &Options) -> u32 {
        if o.always_compare_med {
            0
        } else {
            self.info.summary.neighbor_as
        }
    }

    pub fn router_id(&self) -> u32 {
        let reflected = self.info.summary.originator_id;
        reflected.unwrap_or(self.source.router_id)
    }
}

/// Where losers are reported: (path, the step at which it went).
pub type Losers<'a> = &'a mut dyn FnMut(u32, Step);

/// How a selection ended. The best candidate stands first, then its equals up to the interior metric (where they may be used with
/// it), then the others of its kind.
pub(super) struct Outcome {
    pub step: Step,
    pub equals: usize,
    pub of_kind: usize,
}

/// The paths compared were of several kinds, or MED tells some of the best apart and not others: no order of two decides there.
pub struct NeedsTheSet;

/// The best path and the step that decided, with one look at each: for when the steps order the paths, as they mostly do.
///
/// Where MED says nothing or is compared between all, what loses to the best loses at the first step that tells them apart; so the
/// step that decided is the last of these.
pub fn leader<'a>(
    mut paths: impl Iterator<Item = Candidate<'a>>,
    o: &Options,
) -> Result<Option<(u32, Step)>, NeedsTheSet> {
    let Some(mut best) = paths.next() else {
        return Ok(None);
    };
    let kind = best.info.kind;
    let mut decided = Step::Only;
    // Of those that are equal to the best up to MED
    let (mut group, mut med) = (best.med_group(o), best.med(o));
    let (mut one_group, mut one_med) = (true, true);
    for x in paths {
        if x.info.kind != kind {
            return Err(NeedsTheSet);
        }
        let mut verdict = if kind == Kind::Bgp {
            by_preference(&x, &best, o)
        } else {
            by_metric(&x, &best)
        };
        if verdict.0 == Ordering::Less {
            (group, med) = (x.med_group(o), x.med(o));
            (one_group, one_med) = (true, true);
        } else if verdict.0 == Ordering::Equal {
            one_group &= x.med_group(o) == group;
            one_med &= x.med(o) == med;
            verdict = match x.med(o).cmp(&best.med(o)) {
                Ordering::Equal => by_nearness(&x, &best),
                differ => (differ, Step::Med),
            };
            if verdict.0 == Ordering::Equal {
                verdict = by_tie_break(&x, &best, o);
            }
        }
        decided = match verdict.0 {
            Ordering::Less => verdict.1,
            _ => decided.max(verdict.1),
        };
        if verdict.0 == Ordering::Less {
            best = x;
        }
    }
    if one_group || one_med {
        Ok(Some((best.path, decided)))
    } else {
        Err(NeedsTheSet)
    }
}

/// The best path and the step that decided.
pub fn select(c: &mut [Candidate], o: &Options, lost: Losers<'_>) -> Option<(u32, Step)> {
    let outcome = decide(c, o, lost)?;
    Some((c[0].path, outcome.step))
}

/// The same without the losers, and quicker for it.
pub fn best(c: &mut [Candidate], o: &Options) -> Option<(u32, Step)> {
    leader(c.iter().copied(), o).unwrap_or_else(|NeedsTheSet| select(c, o, &mut |_, _| {}))
}

/// What `decide` does, where one look at each is enough.
pub(super) fn decide_quickly(c: &mut [Candidate], o: &Options) -> Option<Outcome> {
    let (path, step) = leader(c.iter().copied(), o).ok()??;
    let at = c.iter().position(|x| x.path == path)?;
    c.swap(0, at);
    let (best, others) = c.split_first_mut()?;
    let equals = if o.multipath(best.source.ebgp) > 1 && best.info.kind == Kind::Bgp {
        gather(others, |x| {
            x.med(o) == best.med(o)
                && by_preference(x, best, o).0 == Ordering::Equal
                && by_nearness(x, best).0 == Ordering::Equal
        })
    } else {
        0
    };
    Some(Outcome {
        step,
        equals: 1 + equals,
        of_kind: c.len(),
    })
}

pub(super) fn decide(c: &mut [Candidate], o: &Options, lost: Losers<'_>) -> Option<Outcome> {
    let kind = c.first()?.info.kind;
    if c.iter().all(|x| x.info.kind == kind) {
        return Some(within_kind(c, o, lost));
    }
    // The best of each kind; of these the nearest, and of equals the lowest kind
    c.sort_unstable_by_key(|x| x.info.kind);
    let sizes: Vec<usize> = c
        .chunk_by(|a, b| a.info.kind == b.info.kind)
        .map(<[_]>::len)
        .collect();
    let mut kinds: Vec<(usize, Outcome)> = Vec::with_capacity(sizes.len());
    let mut at = 0;
    for n in sizes {
        kinds.push((at, within_kind(&mut c[at..at + n], o, lost)));
        at += n;
    }
    let nearest = kinds.iter().map(|k| c[k.0].distance()).min()?;
    let winner = kinds.iter().position(|k| c[k.0].distance() == nearest)?;
    let (start, mut outcome) = kinds.swap_remove(winner);
    outcome.step = Step::Distance;
    for (first, _) in kinds {
        let step = if c[first].distance() > nearest {
            Step::Distance
        } else {
            Step::Protocol
        };
        lost(c[first].path, step);
        outcome.step = outcome.step.max(step);
    }
    c.rotate_left(start);
    Some(outcome)
}

fn within_kind(c: &mut [Candidate], o: &Options, lost: Losers<'_>) -> Outcome {
    let of_kind = c.len();
    let bgp = c[0].info.kind == Kind::Bgp;
    let mut round = Round {
        left: c.len(),
        c,
        step: Step::Only,
        lost,
    };
    let mut equals = 1;
    if bgp {
        round.keep_best(|a, b| by_preference(a, b, o));
        round.keep_least_med(o);
        round.keep_best(by_nearness);
        equals = round.left;
        round.keep_best(|a, b| by_tie_break(a, b, o));
    } else {
        round.keep_best(by_metric);
    }
    Outcome {
        step: round.step,
        equals,
        of_kind,
    }
}

/// Candidates of one kind under elimination: the first `left` still stand.
struct Round<'r, 'a, 'l> {
    c: &'r mut [Candidate<'a>],
    left: usize,
    /// The last step at which one went.
    step: Step,
    lost: Losers<'l>,
}

impl<'a> Round<'_, 'a, '_> {
    /// Keeps those that none is better than by these steps. As the best of all is never behind at a step, each other goes at the
    /// first at which it differs from it.
    #[inline]
    fn keep_best(&mut self, compare: impl Fn(&Candidate, &Candidate) -> Verdict) {
        let standing = &self.c[..self.left];
        let best = standing.iter().copied().reduce(|best, x| {
            if compare(&x, &best).0 == Ordering::Less {
                x
            } else {
                best
            }
        });
        if let Some(best) = best {
            self.keep(|x, _| match compare(x, &best) {
                (Ordering::Equal, _) => None,
                (_, step) => Some(step),
            });
        }
    }

    /// RFC 4271 9.1.2.2 c: a path goes if another of the same neighbouring AS has a lower MED. That one has gone lets no other stay:
    /// what was better than it is better than those it was better than.
    fn keep_least_med(&mut self, o: &Options) {
        let med = self.c[0].med(o);
        if self.c[..self.left].iter().any(|x| x.med(o) != med) {
            self.keep(|x, standing| {
                let (group, med) = (x.med_group(o), x.med(o));
                let worse = standing
                    .iter()
                    .any(|y| y.med_group(o) == group && y.med(o) < med);
                worse.then_some(Step::Med)
            });
        }
    }

    /// Lets those go that `goes` names a step for, told of each and of all that still stand.
    fn keep(&mut self, goes: impl Fn(&Candidate<'a>, &[Candidate<'a>]) -> Option<Step>) {
        let mut at = 0;
        while at < self.left {
            let Some(step) = goes(&self.c[at], &self.c[..self.left]) else {
                at += 1;
                continue;
            };
            (self.lost)(self.c[at].path, step);
            self.step = self.step.max(step);
            self.left -= 1;
            self.c.swap(at, self.left);
        }
    }
}

/// Brings those that `wanted` holds for to the front; how many they are.
pub(super) fn gather(c: &mut [Candidate], wanted: impl Fn(&Candidate) -> bool) -> usize {
    let mut n = 0;
    for at in 0..c.len() {
        if wanted(&c[at]) {
            c.swap(n, at);
            n += 1;
        }
    }
    n
}
