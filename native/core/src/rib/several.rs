//! Peers that take several paths of a prefix (RFC 7911): which paths they are told, and which of them changed since they last read.

use super::adj_rib_out::{tellable, withheld};
use super::core::Core;
use super::export_rows::{For, Rows};
use super::export_terms::{ExportTerms, Told, ALL_PATHS};
use super::feed::{before, Pos};
use super::path_ids::PathIds;
use super::select::{self, Candidate};
use super::source::Kind;
use super::stretch::Place;
use super::table::{Table, GROUP_ALONE, HAS_BEST, IN_RIB_LOG, OTHERS_ALONE};
use super::NONE;
use crate::prefix::Addr;

/// Paths of one prefix that are taken from one source.
pub const MOST_PATHS: usize = 255;

/// Where the record is by which a path last changed, of the paths of one table. Kept while a peer takes several.
#[derive(Default)]
pub struct Changed(Vec<Pos>);

impl Changed {
    /// Whether a reader that had come to `since` may not have been told of the path as it is.
    fn after(&self, path: u32, since: Pos) -> bool {
        let at = self.0.get(path as usize);
        at.is_none_or(|&at| !before(at, since))
    }

    fn note(&mut self, path: u32, at: Pos) {
        let path = path as usize;
        if self.0.len() <= path {
            // Of those between nothing is known: it may be as new
            self.0.resize(path + 1, at);
        }
        self.0[path] = at;
    }

    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Pos>()
    }
}

impl<A: Addr> Table<A> {
    /// The record of an entry gives way to one at the tail of the log: who has not read it hears by that one of what it was about.
    #[cold]
    pub(super) fn record_moves(&mut self, idx: u32) {
        let e = &self.entries[idx as usize];
        let (old, tail) = (e.rib_pos, self.rib_log.tail());
        let mut at = e.head;
        while at != NONE {
            if self.changed.after(at, old) {
                self.changed.note(at, tail);
            }
            at = self.paths[at as usize].next;
        }
    }

    /// A peer opens its Adj-RIB-Out; where that starts.
    pub fn read_by_one_more(&mut self, several: bool) -> Place {
        self.rib_log.consumers += 1;
        self.several += usize::from(several);
        let start = Place::start(self);
        self.rib_log.note_read(start.pos);
        start
    }

    /// A peer closes its Adj-RIB-Out.
    pub fn no_longer_read(&mut self, several: bool) {
        self.rib_log.consumers -= 1;
        self.several -= usize::from(several);
        if self.several == 0 {
            self.changed = Changed::default();
        }
    }
}

impl Core {
    /// After an entry was chosen again: peers that take several paths hear of it, whatever its best path. `path` is the one that
    /// changed, where it is one alone; `turned`: another path, or none, is the best now.
    #[cold]
    pub(super) fn tell_several<A: Addr>(
        &mut self,
        t: &mut Table<A>,
        idx: u32,
        path: OneOrAll,
        turned: bool,
    ) {
        if !turned {
            self.log_alone(t, idx, OTHERS_ALONE);
        }
        // Where another protocol has the best path, none of BGP's is told: with it they come and go
        let all = path == OneOrAll::All || (turned && self.mixed(t, idx));
        let e = &t.entries[idx as usize];
        let (pos, mut at) = match path {
            OneOrAll::One(path) if !all => return t.changed.note(path, e.rib_pos),
            OneOrAll::None if !all => return,
            _ => (e.rib_pos, e.head),
        };
        while at != NONE {
            t.changed.note(at, pos);
            at = t.paths[at as usize].next;
        }
    }

    /// Whether a source gives as many paths of an entry as it may, and one more under this identifier is not taken: a peer that
    /// invents identifiers must not make every change of a prefix a long one.
    pub(super) fn crowded<A: Addr>(
        &mut self,
        t: &Table<A>,
        idx: u32,
        source: u32,
        path_id: u32,
    ) -> bool {
        // Copies in other instances are as many as it has in its own, once a run of changes was copied
        if path_id == 0 || self.sources[source as usize].instance != t.instance() {
            return false;
        }
        let given = t.path_list(idx).filter(|(_, p)| p.source == source);
        let crowded = given.filter(|&(at, p)| self.lives(t, at, p)).count() >= MOST_PATHS;
        self.refused += u32::from(crowded);
        crowded
    }

    fn mixed<A: Addr>(&self, t: &Table<A>, idx: u32) -> bool {
        let mut paths = t.path_list(idx);
        paths.any(|(_, p)| self.infos[p.info].kind != Kind::Bgp)
    }
}

/// Which of an entry's paths changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OneOrAll {
    /// One went, the others are as they were.
    None,
    One(u32),
    All,
}

/// Whether a record is news to peers that take several paths.
pub fn news(flags: u16) -> bool {
    flags & IN_RIB_LOG != 0 && flags & (GROUP_ALONE | OTHERS_ALONE) != GROUP_ALONE
}

/// The paths of an entry that a group is told, and under what: of BGP's usable ones that may be told the best, as many as the terms
/// say; where another protocol has the best path that one alone, if it may be told. And whether some path waits for the boxes.
pub fn paths_told<A: Addr>(
    core: &Core,
    t: &Table<A>,
    idx: u32,
    terms: &ExportTerms,
) -> (Vec<(u32, Told)>, bool) {
    let e = &t.entries[idx as usize];
    if e.flags & HAS_BEST == 0 {
        return (Vec::new(), false);
    }
    let mut held = false;
    let mut may = |path| {
        let told = tellable(core, t, e, path, terms)?;
        let waits = withheld(core, t, e, path, &told);
        held |= waits;
        (!waits).then_some((path, told))
    };
    if core.infos[t.paths[e.head as usize].info].kind != Kind::Bgp {
        let best = may(e.head);
        return (best.into_iter().collect(), held);
    }
    let usable = core.usable(t, idx, |set| core.standing(set));
    let mut found: Vec<(Candidate, Told)> = usable
        .filter(|c| c.info.kind == Kind::Bgp)
        .filter_map(|c| may(c.path).map(|(_, told)| (c, told)))
        .collect();
    if terms.add_path == ALL_PATHS {
        let all = found.into_iter().map(|(c, told)| (c.path, told));
        return (all.collect(), held);
    }
    let mut best = Vec::new();
    while best.len() < usize::from(terms.add_path) {
        let mut left: Vec<Candidate> = found.iter().map(|f| f.0).collect();
        let Some((path, _)) = select::best(&mut left, &t.options) else {
            break;
        };
        let at = found.iter().position(|f| f.0.path == path);
        best.extend(at.map(|at| (path, found.swap_remove(at).1)));
    }
    (best, held)
}

/// Puts into a stretch what a group is to be told of an entry. `since`: where its readers have come to in the log, `None` in an
/// initial table. How many paths were looked at.
#[inline(never)]
pub fn tell<A: Addr>(
    core: &Core,
    t: &Table<A>,
    idx: u32,
    terms: &ExportTerms,
    ids: &mut PathIds,
    since: Option<Pos>,
    rows: &mut Rows<A>,
) -> usize {
    let prefix = t.entries[idx as usize].prefix;
    let (paths, held) = paths_told(core, t, idx, terms);
    if held {
        rows.held.push(idx);
    }
    let source = |path: u32| t.paths[path as usize].source;
    let assigned = ids.assign(idx, paths.iter().map(|&(path, _)| (path, source(path))));
    // Whether one is among the best depends on the others, so those are told together
    let all = terms.add_path != ALL_PATHS;
    for (&(path, told), assigned) in paths.iter().zip(assigned) {
        let own = core.infos[t.paths[path as usize].info].kind != Kind::Bgp;
        if !since.is_none_or(|since| all || own || t.changed.after(path, since)) {
            continue;
        }
        rows.announce_path(t, prefix, path, told, assigned.id);
        if since.is_some() && assigned.reused {
            rows.withdraw_path(prefix, assigned.id, For::Only(source(path)));
        }
    }
    if since.is_some() {
        for (id, giver) in ids.free(idx) {
            // Who gave all that it ever meant was never told of it
            rows.withdraw_path(prefix, id, For::AllBut(giver));
        }
    }
    paths.len()
}
