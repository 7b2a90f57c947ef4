//! Entries of a table that are new in the FIB and not in every box yet. What the boxes answered is a position in the log of what is
//! forwarded; it walks over each record once, and a new prefix it passes is in every box.

use super::ends::Ends;
use super::feed::{before, Log, Pos};
use super::table::{Table, HELD, IN_FIB_LOG, PENDING, VACANT};
use super::NONE;
use crate::prefix::Addr;

/// Records that are passed at once: those of a large read. The others follow by `step`.
const AT_ONCE: usize = 8192;

/// Of one table.
#[derive(Default)]
pub struct Answered {
    /// The instance wants new prefixes in the boxes before they are told.
    pub wanted: bool,
    /// It does, and there are boxes to wait for, or none has come yet, or not all has been passed.
    pub waits: bool,
    /// Every box has what is before this in the log of what is forwarded.
    pub passed: Pos,
    /// Where it is to come to, in slices.
    pub goal: Pos,
    /// The slowest of the boxes that count, and how many of them were there when they were last counted, less those that left since;
    /// none: they are to be counted again.
    pub slowest: Pos,
    pub at_slowest: usize,
    /// Nobody is waited for any more: what is pending from this slot on is still to be told.
    telling: Option<usize>,
    /// Ends of initial tables that wait for answers.
    pub ends: Ends,
    /// Entries that a group of peers was not told of while they were pending, and that are in every box since.
    pub log: Log,
}

impl Answered {
    fn is_behind(&self) -> bool {
        before(self.passed, self.goal)
    }

    /// A box has come from one place to another, and counts unless it is left out: whether all are to be counted again.
    pub fn left_behind(&mut self, old: Pos, new: Pos, left_out: bool) -> bool {
        if old == self.slowest && new != old && !left_out {
            self.at_slowest = self.at_slowest.saturating_sub(1);
        }
        self.wanted && self.at_slowest == 0
    }

    /// The places in the log, which keep what is behind them.
    pub fn positions(&mut self) -> impl Iterator<Item = &mut Pos> {
        let ends = self.ends.positions();
        [&mut self.passed, &mut self.goal].into_iter().chain(ends)
    }
}

impl<A: Addr> Table<A> {
    /// The group of an entry becomes another one, its record in the log not yet. A prefix that goes and comes back before any reader
    /// of the FIB has heard of its end is in the boxes all the time.
    #[inline(never)]
    pub(super) fn wait_or_not(&mut self, idx: u32, old: u32, new: u32) {
        let e = &mut self.entries[idx as usize];
        if new == NONE {
            e.flags &= !HELD;
        }
        let recorded = e.flags & IN_FIB_LOG != 0;
        if recorded && self.fib_log.unread(e.fib_pos) {
            return; // the record stays where it is
        }
        if old == NONE {
            e.flags |= PENDING;
            self.answered.ends.release(idx);
        } else if recorded && e.flags & PENDING != 0 && !before(e.fib_pos, self.answered.passed) {
            self.answered.ends.note_move(idx, e.fib_pos);
        }
    }

    /// An entry is in every box, or nowhere.
    fn installed(&mut self, idx: u32) {
        let e = &mut self.entries[idx as usize];
        let held = e.flags & HELD != 0 && e.group != NONE;
        e.flags &= !(PENDING | HELD);
        if held {
            self.answered.log.push(idx);
        }
    }

    /// All boxes have come to this place of the log. `failed`: whether some box could not install a prefix.
    pub(super) fn pass(&mut self, to: Pos, failed: impl Fn(&Self, u32) -> bool) {
        if before(self.answered.goal, to) {
            self.answered.goal = to;
        }
        let mut left = AT_ONCE;
        while left > 0 && self.answered.is_behind() {
            left -= 1;
            let idx = self.fib_log.get(self.answered.passed);
            let e = &self.entries[idx as usize];
            let live = e.flags & IN_FIB_LOG != 0 && e.fib_pos == self.answered.passed;
            if live && e.flags & PENDING != 0 {
                if e.group == NONE || !failed(self, idx) {
                    self.installed(idx);
                }
                self.answered.ends.release(idx);
            }
            self.answered.passed = self.answered.passed.wrapping_add(1);
        }
        self.answered.waits |= self.answered.is_behind();
        self.answered.ends.pass(self.answered.passed);
    }

    /// An initial table is over: the number of its end.
    pub(super) fn end_of_table(&mut self) -> u64 {
        let (a, tail) = (&mut self.answered, self.fib_log.tail());
        if a.waits && before(a.passed, tail) || a.telling.is_some() {
            a.ends.open(tail)
        } else {
            Ends::NOW
        }
    }

    /// Nobody is waited for any more: goes on with the pending entries, one a unit of `budget`; what is left of it.
    pub(super) fn tell_pending(&mut self, budget: usize) -> usize {
        let Some(from) = self.answered.telling else {
            return budget;
        };
        let end = from.saturating_add(budget).min(self.entries.len());
        for idx in from..end {
            if self.entries[idx].flags & (PENDING | VACANT) == PENDING {
                self.installed(idx as u32);
            }
        }
        self.answered.telling = (end < self.entries.len()).then_some(end);
        if self.answered.telling.is_none() {
            self.answered.ends.clear();
        }
        budget - (end - from)
    }

    /// Whether something is left for later.
    pub(super) fn answering(&self) -> bool {
        self.answered.is_behind() || self.answered.telling.is_some() || self.untrimmed
    }

    /// The boxes are sent an entry again, and their answer counts.
    pub(super) fn ask_again(&mut self, idx: u32) {
        let pos = self.fib_log.push(idx);
        let e = &mut self.entries[idx as usize];
        e.flags |= IN_FIB_LOG;
        e.fib_pos = pos;
    }

    /// After `options` were set.
    pub(super) fn want_answers(&mut self) {
        let wanted = self.fib && self.options.advertise_installed;
        if wanted == self.answered.wanted {
            return;
        }
        self.answered.wanted = wanted;
        self.answered.waits = wanted;
        if wanted {
            self.tell_pending(usize::MAX);
            // Records are kept for the answers, too
            self.fib_log.consumers += 1;
            self.answered.passed = self.fib_log.tail();
            self.answered.goal = self.answered.passed;
        } else {
            self.fib_log.consumers -= 1;
            self.answered.goal = self.answered.passed;
            self.answered.telling = Some(0);
        }
    }
}
