//! The best routes of one table as a monitor or another protocol is told of them: a cursor per consumer over the log of best paths,
//! and a bit per slot that it knows of. A route that uses another group is told again; what becomes of a group is not told here.

use super::core::Core;
use super::criteria::{Criteria, Judge};
use super::engine::Engine;
use super::feed::{before, Pos};
use super::fib::Cursor;
use super::instance::Family;
use super::marks::Bits;
use super::table::{Entry, Table, GROUP_ALONE, HAS_BEST, IN_RIB_LOG, OTHERS_ALONE};
use super::value::{text, Value};
use crate::prefix::{Addr, Prefix};

pub struct Watch {
    pub(super) instance: usize,
    pub(super) afi: u16,
    criteria: Criteria,
    pub(super) cursor: Cursor,
    /// Slots whose prefix the consumer has, or may have had before it came. No slot is freed while its bit is set: its deletion is in
    /// the log until it was told.
    pub(super) told: Bits,
}

impl Engine {
    /// A new consumer: at the start of the table, or, without `initial`, of what changes from now on.
    pub fn watch_open(
        &mut self,
        instance: usize,
        afi: u16,
        criteria: Criteria,
        initial: bool,
    ) -> u32 {
        let i = &mut self.instances[instance];
        let mut told = Bits::default();
        let pos = match afi {
            1 => begin(&self.core, &mut i.v4, &criteria, initial, &mut told),
            _ => begin(&self.core, &mut i.v6, &criteria, initial, &mut told),
        };
        self.watches.push(Some(Watch {
            instance,
            afi,
            criteria,
            cursor: Cursor {
                snapshot: initial.then_some(0),
                pos,
            },
            told,
        }));
        (self.watches.len() - 1) as u32
    }

    pub fn watch_close(&mut self, consumer: u32) {
        let Some(w) = self
            .watches
            .get_mut(consumer as usize)
            .and_then(Option::take)
        else {
            return;
        };
        let i = &mut self.instances[w.instance];
        match w.afi {
            1 => end(&mut i.v4),
            _ => end(&mut i.v6),
        }
        self.trim_rib(w.instance, w.afi);
    }

    /// Up to `max` routes that came, changed or went; `None` when the consumer knows everything.
    pub fn watch_read(&mut self, consumer: u32, max: usize) -> Option<Vec<Value>> {
        let w = self.watches.get_mut(consumer as usize)?.as_mut()?;
        let i = &mut self.instances[w.instance];
        let max = max.max(1);
        let rows = match w.afi {
            1 => read(&self.core, &mut i.v4, w, max),
            _ => read(&self.core, &mut i.v6, w, max),
        };
        let (instance, afi) = (w.instance, w.afi);
        self.trim_rib(instance, afi);
        (!rows.is_empty()).then_some(rows)
    }
}

fn begin<A: Family>(
    core: &Core,
    t: &mut Table<A>,
    criteria: &Criteria,
    initial: bool,
    told: &mut Bits,
) -> Pos {
    if !initial {
        let mut wanted = Wanted::new(core, criteria);
        for (idx, e) in t.entries.iter().enumerate() {
            if wanted.has(t, e) {
                told.set(idx as u32, true);
            }
        }
    }
    t.rib_log.consumers += 1;
    t.watches += 1;
    let pos = t.rib_log.tail();
    t.rib_log.note_read(pos);
    pos
}

fn end<A>(t: &mut Table<A>) {
    t.rib_log.consumers -= 1;
    t.watches -= 1;
}

/// Tells entries that a consumer wants from others.
struct Wanted<'a, A> {
    area: Option<Prefix<A>>,
    judge: Judge<'a>,
}

impl<'a, A: Family> Wanted<'a, A> {
    fn new(core: &'a Core, criteria: &'a Criteria) -> Self {
        Wanted {
            area: criteria.area(),
            judge: Judge::new(core, criteria),
        }
    }

    fn has(&mut self, t: &Table<A>, e: &Entry<A>) -> bool {
        e.flags & HAS_BEST != 0
            && self.area.is_some_and(|area| area.contains(e.prefix))
            && self.judge.holds(t, e.head, &t.paths[e.head as usize])
    }
}

fn read<A: Family>(core: &Core, t: &mut Table<A>, w: &mut Watch, max: usize) -> Vec<Value> {
    let mut wanted = Wanted::new(core, &w.criteria);
    let mut rows = Vec::new();
    if let Some(mut idx) = w.cursor.snapshot {
        while rows.len() < max && idx < t.entries.len() {
            let e = &t.entries[idx];
            // What changed since the start is told by the log
            let changed = news(e.flags) && !before(e.rib_pos, w.cursor.pos);
            if !changed && wanted.has(t, e) {
                w.told.set(idx as u32, true);
                rows.push(put(core, t, e));
            }
            idx += 1;
        }
        w.cursor.snapshot = (idx < t.entries.len()).then_some(idx);
    }
    let tail = t.rib_log.tail();
    while w.cursor.snapshot.is_none() && rows.len() < max && before(w.cursor.pos, tail) {
        let idx = t.rib_log.get(w.cursor.pos);
        let e = &t.entries[idx as usize];
        if news(e.flags) && e.rib_pos == w.cursor.pos {
            if wanted.has(t, e) {
                w.told.set(idx, true);
                rows.push(put(core, t, e));
            } else if w.told.get(idx) {
                w.told.set(idx, false);
                rows.push(Value::Map(vec![
                    ("op", text("delete")),
                    ("prefix", text(e.prefix.text())),
                ]));
            }
        }
        w.cursor.pos = w.cursor.pos.wrapping_add(1);
    }
    t.rib_log.note_read(w.cursor.pos);
    rows
}

/// Whether a record is of the best path or its group.
fn news(flags: u16) -> bool {
    flags & IN_RIB_LOG != 0 && flags & (GROUP_ALONE | OTHERS_ALONE) != OTHERS_ALONE
}

fn put<A: Addr>(core: &Core, t: &Table<A>, e: &Entry<A>) -> Value {
    let mut row = vec![("op", text("put"))];
    row.extend(core.best_row(t, e));
    Value::Map(row)
}
