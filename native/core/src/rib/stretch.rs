//! From one stretch of a table's slots and log to the messages for a group of peers.

use super::adj_rib_out::{tellable, withheld};
use super::core::Core;
use super::export::Known;
use super::export_rows::{Encoding, For, Rows};
use super::export_terms::ExportTerms;
use super::feed::{before, Pos};
use super::several;
use super::source::Kind;
use super::table::{
    Table, GROUP_ALONE, HAS_BEST, IN_RIB_LOG, OTHERS_ALONE, PENDING, SEVERAL_SOURCES, VACANT,
};
use super::NONE;
use crate::prefix::Addr;

/// Slots and records that a read looks at for each route that it may tell: most may be none of the peer's business.
const LOOKS: usize = 8;

/// The slots that an initial table has yet to tell. What comes into others while it lasts is in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slots {
    pub next: usize,
    pub end: usize,
}

impl Slots {
    pub(super) fn all<A>(t: &Table<A>) -> Slots {
        let end = t.entries.len();
        Slots { next: 0, end }
    }
}

/// Where a consumer stands: in the slab while its initial table lasts, in the log of best paths, and in that of what was installed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub snapshot: Option<Slots>,
    pub pos: Pos,
    pub installed: Pos,
}

impl Place {
    /// Of one that has told nothing of a table: all of it as it is, and what comes after.
    pub(super) fn start<A: Addr>(t: &Table<A>) -> Place {
        Place {
            snapshot: Some(Slots::all(t)),
            pos: t.rib_log.tail(),
            installed: t.answered.log.tail(),
        }
    }
}

/// One encoded stretch of the log.
pub struct Chunk {
    pub from: Place,
    pub max: usize,
    pub to: Place,
    pub encoding: Encoding,
    /// Entries that are left out for now, as they are pending.
    pub held: Vec<u32>,
}

pub fn encode<A: Addr>(
    core: &Core,
    t: &Table<A>,
    terms: &ExportTerms,
    known: &mut Known,
    from: Place,
    max: usize,
) -> Chunk {
    let tail = t.rib_log.tail();
    let slots = from.snapshot.map_or(0, |s| s.end - s.next);
    let mut rows = Rows::new(max.min(slots + tail.wrapping_sub(from.pos) as usize));
    let mut to = from;
    let mut left = max;
    let mut looks = max.saturating_mul(LOOKS);
    if let Some(Slots { mut next, end }) = from.snapshot {
        while left > 0 && looks > 0 && next < end {
            looks -= 1;
            if t.entries[next].flags & VACANT == 0 {
                let told = begin(core, t, next as u32, terms, known, &mut rows);
                left = left.saturating_sub(told);
            }
            next += 1;
        }
        to.snapshot = (next < end).then_some(Slots { next, end });
    }
    while to.snapshot.is_none() && left > 0 && looks > 0 && before(to.pos, tail) {
        looks -= 1;
        let idx = t.rib_log.get(to.pos);
        if t.entries[idx as usize].rib_pos == to.pos {
            let told = follow(core, t, idx, terms, known, from.pos, &mut rows);
            left = left.saturating_sub(told);
        }
        to.pos = to.pos.wrapping_add(1);
    }
    let installed = &t.answered.log;
    while to.snapshot.is_none() && left > 0 && looks > 0 && before(to.installed, installed.tail()) {
        looks -= 1;
        let idx = installed.get(to.installed);
        let e = &t.entries[idx as usize];
        // Told by its record, if that was in this stretch and of all that is told
        let kinds = IN_RIB_LOG | GROUP_ALONE | OTHERS_ALONE;
        let whole = terms.add_path == 0 && e.flags & kinds == IN_RIB_LOG;
        let heard = whole && !before(e.rib_pos, from.pos);
        if e.flags & VACANT == 0 && !heard {
            let told = begin(core, t, idx, terms, known, &mut rows);
            left = left.saturating_sub(told);
        }
        to.installed = to.installed.wrapping_add(1);
    }
    Chunk {
        from,
        max,
        to,
        held: std::mem::take(&mut rows.held),
        encoding: rows.write(core, terms),
    }
}

/// An entry of the initial table; what it costs.
#[inline]
fn begin<A: Addr>(
    core: &Core,
    t: &Table<A>,
    idx: u32,
    terms: &ExportTerms,
    known: &mut Known,
    rows: &mut Rows<A>,
) -> usize {
    let told = if terms.add_path > 0 {
        several::tell(core, t, idx, terms, &mut known.ids, None, rows)
    } else {
        usize::from(announce(core, t, idx, terms, rows))
    };
    if told > 0 {
        known.told.set(idx, true);
    }
    told
}

/// An entry that has its record here, for readers that came to `since`; what it costs.
#[inline]
fn follow<A: Addr>(
    core: &Core,
    t: &Table<A>,
    idx: u32,
    terms: &ExportTerms,
    known: &mut Known,
    since: Pos,
    rows: &mut Rows<A>,
) -> usize {
    let e = &t.entries[idx as usize];
    if terms.add_path > 0 {
        if !several::news(e.flags) {
            return 0;
        }
        let told = several::tell(core, t, idx, terms, &mut known.ids, Some(since), rows);
        if told > 0 {
            known.told.set(idx, true);
        }
        return told.max(1);
    }
    if e.flags & (IN_RIB_LOG | GROUP_ALONE | OTHERS_ALONE) != IN_RIB_LOG {
        return 0;
    }
    let several = e.flags & SEVERAL_SOURCES != 0;
    if announce(core, t, idx, terms, rows) {
        if several && known.told.get(idx) {
            let giver = t.paths[e.head as usize].source;
            rows.withdraw(e.prefix, For::Only(giver));
        }
        known.told.set(idx, true);
    } else if known.told.get(idx) {
        // Its only giver was never told of it
        let except = if several { NONE } else { e.last_source };
        rows.withdraw(e.prefix, For::AllBut(except));
    }
    1
}

/// Tells the best path of an entry, if the rules let it out.
#[inline]
fn announce<A: Addr>(
    core: &Core,
    t: &Table<A>,
    idx: u32,
    terms: &ExportTerms,
    rows: &mut Rows<A>,
) -> bool {
    let e = &t.entries[idx as usize];
    if e.flags & HAS_BEST == 0 {
        return false;
    }
    let p = &t.paths[e.head as usize];
    if e.flags & PENDING != 0 {
        return announce_new(core, t, idx, terms, rows);
    }
    if let Some(told) = rows.repeat(p, e.prefix) {
        return told;
    }
    let told = tellable(core, t, e, e.head, terms);
    if let Some(told) = told {
        rows.announce(t, e.prefix, e.head, told);
    }
    // The rules look at a path of BGP by its attribute set and its giver alone, as long as none of the giver's is stale
    if core.infos[p.info].kind == Kind::Bgp && core.all_fresh::<A>(p.source) {
        rows.remember(p, told.is_some());
    }
    told.is_some()
}

/// The same of an entry that some box has not answered yet.
fn announce_new<A: Addr>(
    core: &Core,
    t: &Table<A>,
    idx: u32,
    terms: &ExportTerms,
    rows: &mut Rows<A>,
) -> bool {
    let e = &t.entries[idx as usize];
    let Some(told) = tellable(core, t, e, e.head, terms) else {
        return false;
    };
    if withheld(core, t, e, e.head, &told) {
        rows.held.push(idx);
        return false;
    }
    rows.announce(t, e.prefix, e.head, told);
    true
}
