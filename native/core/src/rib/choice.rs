//! What is used of a prefix's paths: the best one, those as good as it up to the tie-breakers, and one to fall back on.

use super::compare::by_tie_break;
use super::options::Options;
use super::select::{self, decide, decide_quickly, gather, Candidate, Losers, Outcome, Step};
use super::source::Kind;

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

/// The best path with its multipath members and its backup.
pub fn choose(c: &mut [Candidate], o: &Options) -> Option<Choice> {
    let found = decide_quickly(c, o).or_else(|| decide(c, o, &mut |_, _| {}))?;
    Some(used(c, o, found))
}

/// The same, with the step at which each loser went.
pub fn explain(c: &mut [Candidate], o: &Options, lost: Losers<'_>) -> Option<Choice> {
    let found = decide(c, o, lost)?;
    Some(used(c, o, found))
}

fn used(c: &mut [Candidate], o: &Options, found: Outcome) -> Choice {
    let best = c[0];
    let mut choice = Choice::only(best.path, found.step);
    if best.info.kind != Kind::Bgp {
        return choice;
    }
    let most = o.multipath(best.source.ebgp);
    let mut used = 1;
    if most > 1 && found.equals > 1 {
        let others = &mut c[1..found.equals];
        let as_path = best.info.as_path();
        let n = gather(others, |x| o.multipath_relax || x.info.as_path() == as_path);
        others[..n].sort_unstable_by(|a, b| by_tie_break(a, b, o).0);
        used = most.min(1 + n);
        choice.rest = c[1..used].iter().map(|x| x.path).collect();
    }
    if o.backup {
        let (members, others) = c[..found.of_kind].split_at_mut(used);
        let n = gather(others, |x| {
            let next_hops = x.info.next_hops;
            members.iter().all(|m| m.info.next_hops != next_hops)
        });
        choice.backup = select::best(&mut others[..n], o).map(|b| b.0);
    }
    choice
}
