//! What people and tests ask of the tables: one prefix, what covers it, pages by criteria. Plain values out, no table reference.

use std::collections::BinaryHeap;

use super::core::Core;
use super::criteria::{Criteria, Judge};
use super::engine::Engine;
use super::instance::Family;
use super::order::Order;
use super::table::{Table, HAS_BEST, VACANT};
use super::value::Value;
use crate::prefix::{Addr, AnyPrefix, Ip, Prefix};

/// Slots up to which a pass over the table is as good as an order of it.
const ORDERED: usize = 4096;

/// What a page of a query shows.
pub struct Page {
    /// Only prefixes behind this one, in the order of address and length.
    pub after: Option<AnyPrefix>,
    /// It ends with the prefix whose rows reach this number.
    pub limit: usize,
    pub best_only: bool,
}

impl Engine {
    pub fn lookup(&self, instance: usize, p: AnyPrefix) -> Option<Value> {
        let i = &self.instances[instance];
        match p {
            AnyPrefix::V4(p) => self.core.describe(&i.v4, i.v4.find(&p)?),
            AnyPrefix::V6(p) => self.core.describe(&i.v6, i.v6.find(&p)?),
        }
    }

    pub fn longest_match(&self, instance: usize, a: Ip) -> Option<AnyPrefix> {
        let i = &self.instances[instance];
        match a {
            Ip::V4(a) => longest(&i.v4, a),
            Ip::V6(a) => longest(&i.v6, a),
            Ip::None => None,
        }
    }

    /// The best routes whose prefix covers this one, itself included, longest first.
    pub fn covering(&self, instance: usize, p: AnyPrefix) -> Vec<Value> {
        let i = &self.instances[instance];
        match p {
            AnyPrefix::V4(p) => self.covering_rows(&i.v4, p),
            AnyPrefix::V6(p) => self.covering_rows(&i.v6, p),
        }
    }

    fn covering_rows<A: Family>(&self, t: &Table<A>, p: Prefix<A>) -> Vec<Value> {
        let entries = covering_entries(t, p).map(|idx| &t.entries[idx as usize]);
        entries
            .map(|e| Value::Map(self.core.best_row(t, e)))
            .collect()
    }

    /// Best routes from a slab cursor, and the next cursor, 0 at the end.
    pub fn page(
        &self,
        instance: usize,
        afi: u16,
        cursor: usize,
        limit: usize,
    ) -> (Vec<Value>, usize) {
        let i = &self.instances[instance];
        match afi {
            1 => page(&self.core, &i.v4, cursor, limit),
            _ => page(&self.core, &i.v6, cursor, limit),
        }
    }

    /// Rows of paths for which all criteria hold, in the order of prefixes, those of one prefix by (source, path identifier) and never
    /// cut; the last prefix shown if more follow.
    pub fn query(
        &mut self,
        instance: usize,
        afi: u16,
        criteria: &Criteria,
        page: &Page,
    ) -> (Vec<Value>, Option<AnyPrefix>) {
        let i = &mut self.instances[instance];
        match afi {
            1 => query_table(&self.core, &mut i.v4, criteria, page),
            _ => query_table(&self.core, &mut i.v6, criteria, page),
        }
    }
}

/// Entries with a best route that cover a prefix, longest first.
fn covering_entries<A: Addr>(t: &Table<A>, p: Prefix<A>) -> impl Iterator<Item = u32> + '_ {
    t.covering(p.addr, p.len)
        .filter(|&idx| t.entries[idx as usize].flags & HAS_BEST != 0)
}

fn longest<A: Family>(t: &Table<A>, addr: A) -> Option<AnyPrefix> {
    let idx = covering_entries(t, Prefix::new(addr, A::BITS)).next()?;
    Some(A::wide(t.entries[idx as usize].prefix))
}

fn page<A: Addr>(core: &Core, t: &Table<A>, cursor: usize, limit: usize) -> (Vec<Value>, usize) {
    let mut rows = Vec::new();
    let mut at = cursor;
    while at < t.entries.len() && rows.len() < limit {
        let e = &t.entries[at];
        if e.flags & VACANT == 0 && e.flags & HAS_BEST != 0 {
            rows.push(Value::Map(core.best_row(t, e)));
        }
        at += 1;
    }
    (rows, if at < t.entries.len() { at } else { 0 })
}

fn query_table<A: Family>(
    core: &Core,
    t: &mut Table<A>,
    criteria: &Criteria,
    page: &Page,
) -> (Vec<Value>, Option<AnyPrefix>) {
    let Some(area) = criteria.area::<A>() else {
        return (Vec::new(), None);
    };
    let after = page.after.and_then(A::narrow);
    if after.is_some() && t.entries.len() > ORDERED {
        order(t, core.now);
    }
    let (rows, last) = rows(core, t, criteria, page, area, after);
    if last.is_none() {
        t.order = None;
    }
    (rows, last)
}

/// Whoever asks for a second page may want them all.
fn order<A: Addr>(t: &mut Table<A>, now: u32) {
    let entries = &t.entries;
    let order = t.order.get_or_insert_with(|| {
        let taken = entries.iter().filter(|e| e.flags & VACANT == 0);
        Order::new(taken.map(|e| e.prefix), now)
    });
    order.settle(now);
}

fn rows<A: Family>(
    core: &Core,
    t: &Table<A>,
    criteria: &Criteria,
    page: &Page,
    area: Prefix<A>,
    after: Option<Prefix<A>>,
) -> (Vec<Value>, Option<AnyPrefix>) {
    let (mut rows, mut last) = (Vec::new(), None);
    let mut judge = Judge::new(core, criteria);
    let candidates: Box<dyn Iterator<Item = (Prefix<A>, u32)>> = match &t.order {
        Some(order) => Box::new(
            order
                .walk(area, after)
                .filter_map(|p| Some((p, t.find(&p)?))),
        ),
        None => Box::new(least(t, area, after, page, &mut judge).into_iter()),
    };
    for (prefix, idx) in candidates {
        if !wanted(t, idx, page, &mut judge) {
            continue;
        }
        if rows.len() >= page.limit.max(1) {
            return (rows, last);
        }
        let e = &t.entries[idx as usize];
        if page.best_only {
            rows.push(Value::Map(core.best_row(t, e)));
        } else {
            let all = t.path_list(idx).filter(|(at, p)| judge.holds(t, *at, p));
            let mut shown: Vec<_> = all.map(|(at, p)| (p.source, p.path_id, at)).collect();
            shown.sort_unstable();
            let c = core.comparison(t, idx);
            let row = |(_, _, at)| core.path_row(t, e, at, &c);
            rows.extend(shown.into_iter().map(row));
        }
        last = Some(A::wide(prefix));
    }
    (rows, None)
}

fn wanted<A: Addr>(t: &Table<A>, idx: u32, page: &Page, judge: &mut Judge<'_>) -> bool {
    let e = &t.entries[idx as usize];
    if page.best_only {
        e.flags & HAS_BEST != 0 && judge.holds(t, e.head, &t.paths[e.head as usize])
    } else {
        t.path_list(idx).any(|(at, p)| judge.holds(t, at, p))
    }
}

/// The least prefixes of a page with their slots: one more than it may show, which tells whether more follow.
fn least<A: Addr>(
    t: &Table<A>,
    area: Prefix<A>,
    after: Option<Prefix<A>>,
    page: &Page,
    judge: &mut Judge<'_>,
) -> Vec<(Prefix<A>, u32)> {
    let most = page.limit.max(1).saturating_add(1);
    let mut found: BinaryHeap<(Prefix<A>, u32)> = BinaryHeap::new();
    for (idx, e) in t.entries.iter().enumerate() {
        if e.flags & VACANT != 0
            || after.is_some_and(|a| e.prefix <= a)
            || !area.contains(e.prefix)
            || (found.len() == most && found.peek().is_some_and(|last| last.0 <= e.prefix))
        {
            continue;
        }
        if wanted(t, idx as u32, page, judge) {
            if found.len() == most {
                found.pop();
            }
            found.push((e.prefix, idx as u32));
        }
    }
    found.into_sorted_vec()
}
