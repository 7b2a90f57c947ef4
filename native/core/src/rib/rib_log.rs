//! What the two kinds of readers of a table's log of best paths share, peers and watches: the log keeps what any of them has yet
//! to read, and no more.

use super::engine::Engine;
use super::feed::Pos;
use super::table::Feed;

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
