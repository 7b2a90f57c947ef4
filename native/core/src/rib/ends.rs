//! Ends of initial tables that wait for the boxes' answers to what was in them. A prefix that changes while it waits is asked of the
//! boxes anew, behind the end, and the end waits for it there.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::feed::{before, Pos};

/// In the order in which they came, which is that in which they are over: each waits for all that those before it wait for.
#[derive(Default)]
pub struct Ends {
    /// So many are over.
    over: u64,
    open: VecDeque<End>,
    /// Entries that changed while they waited: the number of the first end that waits for each.
    moved: HashMap<u32, u64, RandomState>,
}

struct End {
    /// What is before this in the log of what is forwarded has to be answered.
    at: Pos,
    /// Entries that have no record there any more, of those it is the first to wait for.
    moved: usize,
}

impl Ends {
    /// The number of an end that waits for nothing.
    pub const NOW: u64 = 0;

    /// A table is over: the number of its end.
    pub fn open(&mut self, at: Pos) -> u64 {
        if self.open.back().is_none_or(|end| end.at != at) {
            self.open.push_back(End { at, moved: 0 });
        }
        self.over + self.open.len() as u64
    }

    pub fn is_over(&self, number: u64) -> bool {
        number <= self.over
    }

    /// The record of an entry that is waited for goes from this place to the end of the log.
    pub fn note_move(&mut self, idx: u32, from: Pos) {
        if self.moved.contains_key(&idx) {
            return;
        }
        let first = self.open.partition_point(|end| !before(from, end.at));
        if let Some(end) = self.open.get_mut(first) {
            end.moved += 1;
            self.moved.insert(idx, self.over + first as u64 + 1);
        }
    }

    /// An entry is answered or gone: no end waits for it.
    pub fn release(&mut self, idx: u32) {
        if let Some(number) = self.moved.remove(&idx) {
            self.open[(number - self.over - 1) as usize].moved -= 1;
        }
    }

    /// All boxes have come to this place of the log.
    pub fn pass(&mut self, passed: Pos) {
        let done = |end: &End| end.moved == 0 && !before(passed, end.at);
        while self.open.front().is_some_and(done) {
            self.open.pop_front();
            self.over += 1;
        }
    }

    /// Nothing is waited for any longer.
    pub fn clear(&mut self) {
        self.over += self.open.len() as u64;
        self.open.clear();
        self.moved.clear();
    }

    /// The places in the log.
    pub fn positions(&mut self) -> impl Iterator<Item = &mut Pos> {
        self.open.iter_mut().map(|end| &mut end.at)
    }
}
