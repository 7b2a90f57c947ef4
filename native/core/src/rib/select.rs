//! The decision process: elimination from the set, step by step, with the step that decided (RFC 4271 9.1.2.2, RFC 4456 9,
//! RFC 7311 4.1), and what is used beside the best path. `rib/selection.py` says the same in Python; property tests hold one to the other.

use super::infos::{InfoId, Infos};
use super::options::Options;
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
    Weight = 5,
    LocalPref = 6,
    Aigp = 7,
    AsPathLength = 8,
    Origin = 9,
    Med = 10,
    EbgpOverIbgp = 11,
    IgpMetric = 12,
    Oldest = 13,
    RouterId = 14,
    ClusterListLength = 15,
    PeerAddress = 16,
    PathId = 17,
    Source = 18,
}

pub const STEP_NAMES: [&str; 19] = [
    "none",
    "only",
    "distance",
    "protocol",
    "metric",
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
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Its slot in the table.
    pub path: u32,
    pub info: InfoId,
    /// The set of its own next hops: equal numbers, equal next hops.
    pub next_hops: u32,
    pub kind: Kind,
    pub ebgp: bool,
    pub origin: u8,
    pub cluster_len: u16,
    pub path_len: u16,
    pub weight: u16,
    pub distance: u32,
    pub metric: u32,
    pub local_pref: u32,
    pub med: u32,
    pub neighbor_as: u32,
    pub igp_metric: u32,
    /// (false, AIGP and the way to the next hop together), or (true, 0) without AIGP: the least is best.
    pub aigp: (bool, u64),
    pub since: u32,
    pub router_id: u32,
    pub address: Ip,
    pub path_id: u32,
    pub source: u32,
}

/// What is used of an entry's paths, as slots of its table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    pub best: u32,
    /// The step that left the best path alone.
    pub step: Step,
    /// Multipath members after the best one, in the order of preference.
    pub rest: Vec<u32>,
    /// The best path with another next hop than all of them.
    pub backup: Option<u32>,
}

impl Choice {
    pub fn only(best: u32, step: Step) -> Choice {
        Choice {
            best,
            step,
            rest: Vec::new(),
            backup: None,
        }
    }
}

/// Where losers are reported: (path, the step at which it went).
pub type Losers<'a> = &'a mut dyn FnMut(u32, Step);

/// How a selection ended. The best candidate stands first, then its equals up to the interior metric, then the others of its kind.
struct Outcome {
    step: Step,
    equals: usize,
    of_kind: usize,
}

/// The best path and the step that decided.
pub fn select(c: &mut [Candidate], o: &Options, lost: Losers<'_>) -> Option<(u32, Step)> {
    let outcome = decide(c, o, lost)?;
    Some((c[0].path, outcome.step))
}

/// The best path with its multipath members and its backup.
pub fn choose(c: &mut [Candidate], o: &Options, infos: &Infos, lost: Losers<'_>) -> Option<Choice> {
    let found = decide(c, o, lost)?;
    let mut choice = Choice::only(c[0].path, found.step);
    if c[0].kind != Kind::Bgp {
        return Some(choice);
    }
    let most = if c[0].ebgp {
        o.multipath_ebgp
    } else {
        o.multipath_ibgp
    };
    let mut used = 1;
    if most > 1 && found.equals > 1 {
        let (best, others) = c[..found.equals].split_at_mut(1);
        let path = infos[best[0].info].as_path();
        let n = gather(others, |x| {
            o.multipath_relax || infos[x.info].as_path() == path
        });
        let late = Late::of(best[0].ebgp, o);
        others[..n].sort_unstable_by_key(|x| late.order(x));
        used = most.min(1 + n);
        choice.rest = c[1..used].iter().map(|x| x.path).collect();
    }
    if o.backup {
        let (members, others) = c[..found.of_kind].split_at_mut(used);
        let n = gather(others, |x| {
            members.iter().all(|m| m.next_hops != x.next_hops)
        });
        choice.backup = select(&mut others[..n], o, &mut |_, _| {}).map(|b| b.0);
    }
    Some(choice)
}

fn decide(c: &mut [Candidate], o: &Options, lost: Losers<'_>) -> Option<Outcome> {
    let kind = c.first()?.kind;
    if c.iter().all(|x| x.kind == kind) {
        return Some(within_kind(c, o, lost));
    }
    // The best of each kind; of these the nearest, and of equals the lowest kind
    c.sort_unstable_by_key(|x| x.kind);
    let sizes: Vec<usize> = c
        .chunk_by(|a, b| a.kind == b.kind)
        .map(<[_]>::len)
        .collect();
    let mut kinds: Vec<(usize, Outcome)> = Vec::with_capacity(sizes.len());
    let mut at = 0;
    for n in sizes {
        kinds.push((at, within_kind(&mut c[at..at + n], o, lost)));
        at += n;
    }
    let nearest = kinds.iter().map(|k| c[k.0].distance).min()?;
    let winner = kinds.iter().position(|k| c[k.0].distance == nearest)?;
    let (start, mut outcome) = kinds.swap_remove(winner);
    outcome.step = Step::Distance;
    for (first, _) in kinds {
        let step = if c[first].distance > nearest {
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
    let bgp = c[0].kind == Kind::Bgp;
    let mut round = Round {
        left: c.len(),
        c,
        step: Step::Only,
        lost,
    };
    let mut equals = 1;
    if bgp {
        round.until_interior_metric(o);
        equals = round.left;
        let late = Late::of(round.c[0].ebgp, o);
        round.until_one_is_left(&late);
    } else {
        round.least(Step::Distance, |x| x.distance);
        round.least(Step::Metric, |x| x.metric);
        round.least(Step::Source, |x| x.source);
        round.least(Step::PathId, |x| x.path_id);
    }
    Outcome {
        step: round.step,
        equals,
        of_kind,
    }
}

/// Candidates of one kind under elimination: the first `left` still stand.
struct Round<'a, 'l> {
    c: &'a mut [Candidate],
    left: usize,
    /// The last step at which one went.
    step: Step,
    lost: Losers<'l>,
}

impl Round<'_, '_> {
    fn until_interior_metric(&mut self, o: &Options) {
        self.least(Step::Weight, |x| !x.weight);
        self.least(Step::LocalPref, |x| !x.local_pref); // RFC 4271 9.1.1: the degree of preference
        self.least(Step::Aigp, |x| x.aigp); // RFC 7311 4.1
        if !o.as_path_ignore {
            self.least(Step::AsPathLength, |x| x.path_len); // RFC 4271 9.1.2.2 a
        }
        self.least(Step::Origin, |x| x.origin); // b
        self.least_med(o.always_compare_med); // c
        self.least(Step::EbgpOverIbgp, |x| !x.ebgp); // d
        self.least(Step::IgpMetric, |x| x.igp_metric); // e
    }

    /// All that is left is external or all is internal now.
    fn until_one_is_left(&mut self, late: &Late) {
        self.least(Step::Oldest, |x| late.since(x)); // RFC 5004
        self.least(Step::RouterId, |x| late.router_id(x)); // RFC 4271 9.1.2.2 f, RFC 4456 9
        self.least(Step::ClusterListLength, |x| x.cluster_len); // RFC 4456 9
        self.least(Step::PeerAddress, |x| x.address); // g
        self.least(Step::PathId, |x| x.path_id);
        self.least(Step::Source, |x| x.source);
    }

    /// Keeps the candidates with the least key.
    #[inline]
    fn least<K: Ord + Copy>(&mut self, step: Step, key: impl Fn(&Candidate) -> K) {
        let Some((first, others)) = self.c[..self.left].split_first() else {
            return;
        };
        let mut least = key(first);
        let mut differ = false;
        for x in others {
            let k = key(x);
            differ |= k != least;
            least = least.min(k);
        }
        if differ {
            self.keep(step, |x, _| key(x) == least);
        }
    }

    /// RFC 4271 9.1.2.2 c: a path goes if another of the same neighbouring AS has a lower MED.
    fn least_med(&mut self, always: bool) {
        if always {
            return self.least(Step::Med, |x| x.med);
        }
        let med = self.c[0].med;
        if self.c[..self.left].iter().any(|x| x.med != med) {
            // That a path has gone lets no other stay: what was better than it is better than those it was better than
            self.keep(Step::Med, |x, left| {
                !left
                    .iter()
                    .any(|y| y.neighbor_as == x.neighbor_as && y.med < x.med)
            });
        }
    }

    /// Lets those go that `stays` does not hold for, told of each and of all that still stand.
    fn keep(&mut self, step: Step, stays: impl Fn(&Candidate, &[Candidate]) -> bool) {
        let mut at = 0;
        while at < self.left {
            if stays(&self.c[at], &self.c[..self.left]) {
                at += 1;
            } else {
                (self.lost)(self.c[at].path, step);
                self.left -= 1;
                self.c.swap(at, self.left);
                self.step = step;
            }
        }
    }
}

/// What the steps after the interior metric look at, as one order: nothing in it depends on who else is there.
struct Late {
    since: bool,
    router_id: bool,
}

impl Late {
    fn of(ebgp: bool, o: &Options) -> Late {
        Late {
            since: ebgp && o.prefer_oldest,
            router_id: !ebgp || o.compare_router_id,
        }
    }

    fn since(&self, x: &Candidate) -> u32 {
        if self.since {
            x.since
        } else {
            0
        }
    }

    fn router_id(&self, x: &Candidate) -> u32 {
        if self.router_id {
            x.router_id
        } else {
            0
        }
    }

    fn order(&self, x: &Candidate) -> (u32, u32, u16, Ip, u32, u32) {
        (
            self.since(x),
            self.router_id(x),
            x.cluster_len,
            x.address,
            x.path_id,
            x.source,
        )
    }
}

/// Brings those that `wanted` holds for to the front; how many they are.
fn gather(c: &mut [Candidate], wanted: impl Fn(&Candidate) -> bool) -> usize {
    let mut n = 0;
    for at in 0..c.len() {
        if wanted(&c[at]) {
            c.swap(n, at);
            n += 1;
        }
    }
    n
}
