//! What every box has answered, for peers that are to be told of a new prefix only then (`pending.rs`).

use std::collections::{HashSet, VecDeque};

use foldhash::fast::RandomState;

use super::engine::Engine;
use super::export::Exports;
use super::feed::{before, Pos};
use super::fib::FibConsumer;
use super::instance::{Family, Instance};
use super::table::{Table, IN_FIB_LOG, PENDING};
use super::NONE;
use crate::prefix::AnyPrefix;

/// Records of what was installed beyond two a prefix, until who has not read them reads the table instead.
const MORE: usize = 4096;

/// One read of the FIB, not answered yet: its number, whether it was the end of what there was, and where it came to by instance.
struct Read {
    number: u64,
    whole: bool,
    places: Vec<[Pos; 2]>,
}

/// How far a box has come.
#[derive(PartialEq)]
pub struct Stand {
    whole: bool,
    places: Vec<[Pos; 2]>,
}

/// Of one reader of the FIB: what its box has.
#[derive(Default)]
pub struct Answers {
    /// The box is not waited for: it is away, or makes no progress.
    left_out: bool,
    /// It has had everything once.
    whole: bool,
    reads: u64,
    unanswered: VecDeque<Read>,
    /// By instance, for both families; that of an instance that waits for nobody is of no meaning.
    places: Vec<[Pos; 2]>,
    /// What it could not install, by table.
    failed: HashSet<(u32, AnyPrefix), RandomState>,
}

impl Answers {
    /// Of a reader that starts here and has nothing yet.
    pub fn new(instances: &[Instance]) -> Self {
        let nothing = |i: &Instance| [i.v4.answered.passed, i.v6.answered.passed];
        Answers {
            places: instances.iter().map(nothing).collect(),
            ..Answers::default()
        }
    }

    pub fn join(&mut self) {
        self.places.push([0; 2]);
        for read in &mut self.unanswered {
            read.places.push([0; 2]);
        }
    }

    /// A read came to `places`, `None` in a table whose start the reader has not behind it. `empty`: it brought nothing that would be
    /// answered.
    pub fn read(&mut self, whole: bool, empty: bool, places: Vec<[Option<Pos>; 2]>) {
        let last = self.unanswered.back().map_or(&self.places, |r| &r.places);
        let or = |(new, old): (&[Option<Pos>; 2], &[Pos; 2])| {
            [new[0].unwrap_or(old[0]), new[1].unwrap_or(old[1])]
        };
        let places = places.iter().zip(last).map(or).collect();
        match self.unanswered.back_mut() {
            Some(last) if empty => {
                last.places = places;
                last.whole |= whole;
            }
            None if empty && self.whole => self.places = places,
            _ => {
                self.reads += 1;
                self.unanswered.push_back(Read {
                    number: self.reads,
                    whole,
                    places,
                });
            }
        }
    }

    /// Everything up to this read is installed.
    fn up_to(&mut self, number: u64) {
        let answered = self.unanswered.iter().take_while(|r| r.number <= number);
        for read in self.unanswered.drain(..answered.count()) {
            self.places = read.places;
            self.whole |= read.whole;
        }
    }

    /// What a count of answers asks for.
    pub fn stand(&self) -> Stand {
        Stand {
            whole: self.whole,
            places: self.places.clone(),
        }
    }

    /// The places in the logs of an instance, which keep what is behind them.
    pub fn positions(&mut self, instance: usize) -> impl Iterator<Item = &mut [Pos; 2]> {
        let reads = self.unanswered.iter_mut().map(|r| &mut r.places);
        let all = reads.chain([&mut self.places]);
        all.map(move |places| &mut places[instance])
    }
}

impl Engine {
    /// After an instance's options were set.
    pub(super) fn want_answers(&mut self, instance: usize) {
        let first = !self.instances.iter().any(|i| i.v4.answered.wanted);
        let i = &mut self.instances[instance];
        let before = i.v4.answered.wanted;
        i.v4.want_answers();
        i.v6.want_answers();
        if i.v4.answered.wanted && !before {
            // What the boxes were given so far counts as answered
            let tails = [i.v4.fib_log.tail(), i.v6.fib_log.tail()];
            for c in self.fib.iter_mut().flatten() {
                let places = c.answers.positions(instance);
                places.for_each(|place| *place = tails);
                c.answers.whole |= first;
            }
        }
        self.count_answers();
        self.trim_fib();
    }

    /// How many reads there were that are to be answered: the number of the last one.
    pub fn fib_reads(&self, consumer: u32) -> u64 {
        let c = self.fib.get(consumer as usize).and_then(Option::as_ref);
        c.map_or(0, |c| c.answers.reads)
    }

    /// A box has installed everything of its reader's reads up to this one, but for what `fib_failed` named.
    pub fn fib_installed(&mut self, consumer: u32, read: u64) {
        if let Some(Some(c)) = self.fib.get_mut(consumer as usize) {
            let before = c.answers.stand();
            c.answers.up_to(read);
            self.note_answers(consumer, &before);
            self.trim_wanted = true;
        }
    }

    /// Whether a box is waited for. What it lacks does not keep anything from peers while it is not.
    pub fn fib_wait(&mut self, consumer: u32, wait: bool) {
        let Some(Some(c)) = self.fib.get_mut(consumer as usize) else {
            return;
        };
        if c.answers.left_out == wait {
            c.answers.left_out = !wait;
            let failed: Vec<_> = c.answers.failed.iter().copied().collect();
            for (table, prefix) in failed {
                self.note_failure(table, prefix, wait);
            }
            self.count_answers();
            self.trim_fib();
        }
    }

    /// A box could not install a prefix, or has it now, or no longer needs it.
    pub fn fib_failed(&mut self, consumer: u32, table: u32, prefix: AnyPrefix, failed: bool) {
        let Some(Some(c)) = self.fib.get_mut(consumer as usize) else {
            return;
        };
        let news = if failed {
            c.answers.failed.insert((table, prefix))
        } else {
            c.answers.failed.remove(&(table, prefix))
        };
        if news && !c.answers.left_out {
            self.note_failure(table, prefix, failed);
            self.count_answers();
        }
    }

    /// A reader of the FIB has ended.
    pub(super) fn forget_answers(&mut self, gone: Answers) {
        if !gone.left_out {
            for (table, prefix) in gone.failed {
                self.note_failure(table, prefix, false);
            }
        }
        self.count_answers();
    }

    fn note_failure(&mut self, table: u32, prefix: AnyPrefix, failed: bool) {
        match prefix {
            AnyPrefix::V4(_) => self.note_failure_of::<u32>(table, prefix, failed),
            AnyPrefix::V6(_) => self.note_failure_of::<u128>(table, prefix, failed),
        }
    }

    /// One that failed is as good as new to the boxes: withdrawn, and told again once they have it.
    fn note_failure_of<A: Family>(&mut self, table: u32, prefix: AnyPrefix, failed: bool) {
        let Some(i) = self.instances.get_mut((table >> 8) as usize) else {
            return;
        };
        let t = A::table_mut(i);
        let found = A::narrow(prefix).and_then(|p| t.find(&p));
        let Some(idx) = found.filter(|_| t.answered.wanted) else {
            return;
        };
        let e = &mut t.entries[idx as usize];
        let pending = e.flags & PENDING != 0;
        if e.group == NONE || pending == failed {
            return;
        }
        if failed {
            e.flags |= PENDING;
            self.core.log_rib(t, idx);
        } else if e.flags & IN_FIB_LOG == 0 || before(e.fib_pos, t.answered.passed) {
            t.ask_again(idx);
        }
    }

    /// How far the boxes that count have come, and what follows from that. Those that have everything count; else those that are
    /// getting it; while there is none of either nobody is waited for, unless no box has come yet.
    pub(super) fn count_answers(&mut self) {
        for n in 0..self.instances.len() {
            if self.instances[n].v4.answered.wanted {
                self.count_answers_of::<u32>(n);
                self.count_answers_of::<u128>(n);
            }
        }
    }

    /// The same after a box had this stand: only where it may have been the last of the slowest are all looked at.
    pub(super) fn note_answers(&mut self, consumer: u32, before: &Stand) {
        let Some(Some(c)) = self.fib.get(consumer as usize) else {
            return;
        };
        let (now, left_out) = (c.answers.stand(), c.answers.left_out);
        if now.whole != before.whole {
            return self.count_answers();
        }
        for n in 0..self.instances.len() {
            let [old, new] = [before.places[n], now.places[n]];
            let Instance { v4, v6 } = &mut self.instances[n];
            let again4 = v4.answered.left_behind(old[0], new[0], left_out);
            let again6 = v6.answered.left_behind(old[1], new[1], left_out);
            if again4 {
                self.count_answers_of::<u32>(n);
            }
            if again6 {
                self.count_answers_of::<u128>(n);
            }
        }
    }

    fn count_answers_of<A: Family>(&mut self, instance: usize) {
        let t = A::table_mut(&mut self.instances[instance]);
        let boxes = || self.fib.iter().flatten().map(|c: &FibConsumer| &c.answers);
        let counted = || boxes().filter(|a| !a.left_out);
        let place = |a: &Answers| a.places[instance][usize::from(A::AFI) - 1];
        let any_whole = counted().any(|a| a.whole);
        let places = || counted().filter(|a| a.whole == any_whole).map(place);
        let slowest = places().reduce(|a, b| if before(a, b) { a } else { b });
        let nobody = slowest.is_none() && boxes().next().is_some();
        t.answered.waits = !nobody;
        let to = match slowest {
            Some(pos) => pos,
            None if nobody => t.fib_log.tail(),
            None => t.answered.goal,
        };
        t.answered.slowest = to;
        t.answered.at_slowest = places().filter(|&pos| pos == to).count();
        let any_failed = counted().any(|a| !a.failed.is_empty());
        let failed = |t: &Table<A>, idx: u32| {
            let e = &t.entries[idx as usize];
            let key = (t.id, A::wide(e.prefix));
            any_failed && counted().any(|a| a.failed.contains(&key))
        };
        t.pass(to, failed);
    }

    /// Whether something is left for `step_answers`.
    pub(super) fn answering(&self) -> bool {
        let mut all = self.instances.iter();
        all.any(|i| i.v4.answering() || i.v6.answering())
    }

    /// Goes on with what many answers, or an end of waiting, brought at once; what is left of `budget`.
    pub(super) fn step_answers(&mut self, budget: usize) -> usize {
        if self.trim_wanted {
            self.trim_fib();
        }
        if budget == 0 || !self.answering() {
            return budget;
        }
        let mut left = budget;
        for i in &mut self.instances {
            left = i.v6.tell_pending(i.v4.tell_pending(left));
        }
        self.count_answers();
        self.trim_fib();
        left
    }

    /// Drops what all readers have read of a table's log of what was installed. Where one is far behind it reads the table instead.
    pub(super) fn trim_installed(&mut self, instance: usize, afi: u16) {
        let i = &mut self.instances[instance];
        match afi {
            1 => trim(&mut self.exports, &mut i.v4, instance),
            _ => trim(&mut self.exports, &mut i.v6, instance),
        }
    }
}

fn trim<A: Family>(exports: &mut Exports, t: &mut Table<A>, instance: usize) {
    let most = 2 * t.prefix_count() + MORE;
    if t.answered.log.is_empty() {
        return;
    }
    if t.answered.log.len() > most {
        exports.read_again(instance, t);
    }
    let log = &mut t.answered.log;
    let base = log.base();
    let read = exports.installed_read(instance, A::AFI);
    let read = read.map(|pos| pos.wrapping_sub(base)).min();
    for _ in 0..read.unwrap_or(log.len() as u32) {
        log.pop();
    }
}
