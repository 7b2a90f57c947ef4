//! What the two kinds of readers of a table's log of best paths share, peers and watches: the log keeps what any of them has yet
//! to read, and no more.

use super::core::Core;
use super::engine::Engine;
use super::feed::Pos;
use super::table::{Feed, Table, GROUP_ALONE, HAS_BEST, IN_RIB_LOG, OTHERS_ALONE, SEVERAL_SOURCES};
use super::NONE;
use crate::prefix::Addr;

impl Core {
    pub(super) fn log_rib<A: Addr>(&mut self, t: &mut Table<A>, idx: u32) {
        let e = &mut t.entries[idx as usize];
        if e.flags & HAS_BEST != 0 {
            let source = t.paths[e.head as usize].source;
            if e.last_source != NONE && e.last_source != source {
                e.flags |= SEVERAL_SOURCES;
            }
            e.last_source = source;
        }
        e.flags &= !(GROUP_ALONE | OTHERS_ALONE);
        if t.rib_log.consumers > 0 {
            record(t, idx);
        }
    }

    /// The best path is as it was, and something else is news to some readers: `kind` says what.
    pub(super) fn log_alone<A: Addr>(&mut self, t: &mut Table<A>, idx: u32, kind: u16) {
        let e = &mut t.entries[idx as usize];
        let kinds = GROUP_ALONE | OTHERS_ALONE;
        if e.flags & IN_RIB_LOG == 0 {
            e.flags = e.flags & !kinds | kind;
        } else if e.flags & kinds != 0 {
            // Else the record may be of the best path itself, and some peer may have to read it yet
            e.flags |= kind;
        }
        record(t, idx);
    }
}

/// Puts an entry into the log of best paths, unless a record of it is still ahead of all readers.
fn record<A: Addr>(t: &mut Table<A>, idx: u32) {
    let e = &mut t.entries[idx as usize];
    if e.flags & IN_RIB_LOG == 0 || !t.rib_log.unread(e.rib_pos) {
        if t.several > 0 && e.flags & IN_RIB_LOG != 0 {
            t.record_moves(idx);
        }
        let e = &mut t.entries[idx as usize];
        e.flags |= IN_RIB_LOG;
        e.rib_pos = t.rib_log.push(idx);
    }
}

impl Engine {
    /// Drops the records that all readers have passed.
    pub(super) fn trim_rib(&mut self, instance: usize, afi: u16) {
        let mut positions: Vec<&mut Pos> = self.exports.positions(instance, afi);
        for w in self.watches.iter_mut().flatten() {
            if (w.instance, w.afi) == (instance, afi) {
                positions.push(&mut w.cursor.pos);
            }
        }
        let i = &mut self.instances[instance];
        let compacted = match afi {
            1 => i.v4.trim(Feed::Rib, &mut positions),
            _ => i.v6.trim(Feed::Rib, &mut positions),
        };
        if compacted {
            self.exports.forget_stretches();
        }
        self.trim_installed(instance, afi);
        self.forget_freed(instance);
    }

    /// What groups of peers noted about slots that were freed since is void.
    pub(super) fn forget_freed(&mut self, instance: usize) {
        let i = &mut self.instances[instance];
        for (afi, freed) in [(1, &mut i.v4.freed), (2, &mut i.v6.freed)] {
            if !freed.is_empty() {
                self.exports.forget_slots(instance, afi, freed);
                *freed = Vec::new();
            }
        }
    }
}
