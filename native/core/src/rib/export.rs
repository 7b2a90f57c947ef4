//! One cursor per peer and family over the log of best paths. Peers with equal terms form a group; a stretch of the log is encoded
//! once and its bytes, with each member's own address put in, serve every member that comes to the same position.

use std::collections::VecDeque;
use std::sync::Arc;

use super::engine::Engine;
use super::export_terms::{ExportTerms, Ourselves};
use super::feed::{before, Pos};
use super::fib::Cursor;
use super::instance::Family;
use super::marks::Bits;
use super::path_ids::PathIds;
use super::stretch::{encode, Chunk};
use super::update_encode::end_of_rib;
use super::value::{int, Value};

/// Encoded stretches a group keeps for members that follow close behind.
const KEPT: usize = 4;
/// What members of a group may have been told; never cleared while a slot lives, so that no withdrawal is lost.
#[derive(Default)]
pub struct Known {
    /// Slots.
    pub told: Bits,
    /// Of groups that are told several paths of a prefix.
    pub ids: PathIds,
}

struct Group {
    terms: ExportTerms,
    instance: usize,
    members: usize,
    known: Known,
    kept: VecDeque<Arc<Chunk>>,
    /// Stretches encoded, and stretches that a member had of another's bytes.
    encoded: u64,
    shared: u64,
}

impl Group {
    fn reads(&self, instance: usize, afi: u16) -> bool {
        (self.instance, self.terms.afi) == (instance, afi)
    }
}

pub struct ExportConsumer {
    group: usize,
    pub peer: u32,
    pub ourselves: Ourselves,
    cursor: Cursor,
    end_of_rib_due: bool,
    /// What its group was told when it had last read, if it has not read since a walk for tombstones began.
    stalled: Option<Arc<Bits>>,
}

#[derive(Default)]
pub struct Exports {
    groups: Vec<Option<Group>>,
    pub consumers: Vec<Option<ExportConsumer>>,
}

impl Exports {
    /// The number of the group with these terms, a new one if there is none.
    fn group(&mut self, terms: ExportTerms, instance: usize) -> usize {
        let same = |g: &Group| g.terms == terms && g.instance == instance;
        if let Some(at) = self
            .groups
            .iter()
            .position(|g| g.as_ref().is_some_and(same))
        {
            return at;
        }
        let at = match self.groups.iter().position(Option::is_none) {
            Some(at) => at,
            None => {
                self.groups.push(None);
                self.groups.len() - 1
            }
        };
        self.groups[at] = Some(Group {
            terms,
            instance,
            members: 0,
            known: Known::default(),
            kept: VecDeque::new(),
            encoded: 0,
            shared: 0,
        });
        at
    }

    /// Where in the log the group's newest initial table starts, while its first stretch can still be shared: the member that reads it
    /// sees to it that the log keeps all that changed since.
    fn shared_start(&self, group: usize) -> Option<Pos> {
        let members = self.consumers.iter().rev().flatten();
        let newest = members
            .filter(|c| c.group == group)
            .find(|c| c.cursor.snapshot.is_some())?;
        let first = (Some(0), newest.cursor.pos);
        let kept = &self.groups[group].as_ref()?.kept;
        kept.iter().any(|k| k.from == first).then_some(first.1)
    }

    /// Where the readers of a table's log stand.
    pub(super) fn positions(&mut self, instance: usize, afi: u16) -> Vec<&mut Pos> {
        let groups = &self.groups;
        let here = |c: &&mut ExportConsumer| {
            let group = groups[c.group].as_ref();
            group.is_some_and(|g| g.reads(instance, afi))
        };
        let readers = self.consumers.iter_mut().flatten().filter(here);
        readers.map(|c| &mut c.cursor.pos).collect()
    }

    /// What groups noted and keep.
    pub(super) fn bytes(&self) -> usize {
        let group = |g: &Group| {
            let kept = g.kept.iter().map(|c| c.encoding.bytes());
            g.known.told.bytes() + g.known.ids.bytes() + kept.sum::<usize>()
        };
        self.groups.iter().flatten().map(group).sum()
    }

    /// Log positions mean something else now.
    pub(super) fn forget_stretches(&mut self) {
        for g in self.groups.iter_mut().flatten() {
            g.kept.clear();
        }
    }

    /// These slots of a table hold other prefixes now, or none.
    pub(super) fn forget_slots(&mut self, instance: usize, afi: u16, slots: &[u32]) {
        let groups = self.groups.iter_mut().flatten();
        for g in groups.filter(|g| g.reads(instance, afi)) {
            for &i in slots {
                g.known.told.set(i, false);
                g.known.ids.forget(i);
            }
        }
    }

    /// Whether a peer may know of this slot and has not read the log to this position.
    pub(super) fn await_record(&self, instance: usize, afi: u16, slot: u32, pos: Pos) -> bool {
        self.consumers.iter().flatten().any(|c| {
            let group = self.groups[c.group].as_ref();
            let told = |g: &Group| match &c.stalled {
                Some(told) => told.get(slot),
                None => g.known.told.get(slot),
            };
            group.is_some_and(|g| g.reads(instance, afi) && told(g)) && !before(pos, c.cursor.pos)
        })
    }

    /// From here on a peer that does not read knows no more than its group was told so far, whatever the others read.
    pub(super) fn note_stalled(&mut self) {
        for (at, g) in self.groups.iter().enumerate() {
            let Some(g) = g else { continue };
            let members = self.consumers.iter_mut().flatten();
            let mut told: Option<Arc<Bits>> = None;
            for c in members.filter(|c| c.group == at && c.stalled.is_none()) {
                let told = told.get_or_insert_with(|| Arc::new(g.known.told.clone()));
                c.stalled = Some(Arc::clone(told));
            }
        }
    }
}

impl Engine {
    /// A new Adj-RIB-Out of one peer and family, at the start of its initial table.
    pub fn export_open(&mut self, peer: u32, terms: ExportTerms, ourselves: Ourselves) -> u32 {
        let instance = usize::from(self.core.sources[peer as usize].instance);
        let several = usize::from(terms.add_path > 0);
        let i = &mut self.instances[instance];
        let log = match terms.afi {
            1 => {
                i.v4.several += several;
                &mut i.v4.rib_log
            }
            _ => {
                i.v6.several += several;
                &mut i.v6.rib_log
            }
        };
        log.consumers += 1;
        let tail = log.tail();
        log.note_read(tail);
        let group = self.exports.group(terms, instance);
        let pos = self.exports.shared_start(group).unwrap_or(tail);
        if let Some(g) = &mut self.exports.groups[group] {
            g.members += 1;
        }
        self.exports.consumers.push(Some(ExportConsumer {
            group,
            peer,
            ourselves,
            cursor: Cursor {
                snapshot: Some(0),
                pos,
            },
            end_of_rib_due: true,
            stalled: None,
        }));
        (self.exports.consumers.len() - 1) as u32
    }

    pub fn export_close(&mut self, consumer: u32) {
        let Some(c) = self.exports.consumers[consumer as usize].take() else {
            return;
        };
        let Some(group) = &mut self.exports.groups[c.group] else {
            return;
        };
        group.members -= 1;
        let (instance, afi, several) = (group.instance, group.terms.afi, group.terms.add_path > 0);
        if group.members == 0 {
            self.exports.groups[c.group] = None;
        }
        match afi {
            1 => self.instances[instance].v4.no_longer_read(several),
            _ => self.instances[instance].v6.no_longer_read(several),
        }
        self.trim_rib(instance, afi);
    }

    /// The whole table comes again, End-of-RIB behind it, and then what waits: a withdrawal among that would not come again.
    pub fn export_again(&mut self, consumer: u32) {
        if let Some(Some(c)) = self.exports.consumers.get_mut(consumer as usize) {
            c.cursor.snapshot = Some(0);
            c.end_of_rib_due = true;
        }
    }

    /// Whole UPDATE messages, the next of this peer's stream, and how many they are; empty where a stretch held nothing for it; `None`
    /// when it has everything.
    pub fn export_read(&mut self, consumer: u32, max: usize) -> Option<(Vec<u8>, usize)> {
        let max = max.max(1);
        let mut c = self.exports.consumers.get_mut(consumer as usize)?.take()?;
        c.stalled = None;
        let group = self.exports.groups[c.group].as_ref();
        let place = group.map(|g| (g.instance, g.terms.afi));
        let out = place.and_then(|(instance, afi)| {
            self.forget_freed(instance);
            match afi {
                1 => self.read_for::<u32>(&mut c, instance, max),
                _ => self.read_for::<u128>(&mut c, instance, max),
            }
        });
        self.exports.consumers[consumer as usize] = Some(c);
        if let (Some((instance, afi)), Some(_)) = (place, &out) {
            self.trim_rib(instance, afi);
        }
        out
    }

    fn read_for<A: Family>(
        &mut self,
        c: &mut ExportConsumer,
        instance: usize,
        max: usize,
    ) -> Option<(Vec<u8>, usize)> {
        let group = self.exports.groups[c.group].as_mut()?;
        let t = A::table_mut(&mut self.instances[instance]);
        if c.cursor.snapshot.is_none() && c.cursor.pos == t.rib_log.tail() {
            return None;
        }
        let from = (c.cursor.snapshot, c.cursor.pos);
        let known = group.kept.iter().find(|k| k.from == from && k.max == max);
        let chunk = match known {
            Some(chunk) => {
                group.shared += 1;
                Arc::clone(chunk)
            }
            None => {
                let chunk = Arc::new(encode(
                    &self.core,
                    t,
                    &group.terms,
                    &mut group.known,
                    c.cursor,
                    max,
                ));
                group.encoded += 1;
                if group.members > 1 {
                    if group.kept.len() == KEPT {
                        group.kept.pop_front();
                    }
                    group.kept.push_back(Arc::clone(&chunk));
                }
                chunk
            }
        };
        c.cursor = chunk.to;
        t.rib_log.note_read(c.cursor.pos);
        let (mut out, mut messages) = chunk.encoding.for_peer(c.peer, &c.ourselves);
        if c.cursor.snapshot.is_none() && std::mem::take(&mut c.end_of_rib_due) {
            end_of_rib(group.terms.afi, group.terms.safi, &mut out);
            messages += 1;
        }
        Some((out, messages))
    }

    /// How much of the log lies ahead of a consumer: records, or slots while its initial table lasts.
    pub fn export_backlog(&self, consumer: u32) -> usize {
        let Some(Some(c)) = self.exports.consumers.get(consumer as usize) else {
            return 0;
        };
        let Some(g) = &self.exports.groups[c.group] else {
            return 0;
        };
        let i = &self.instances[g.instance];
        let (tail, slots) = match g.terms.afi {
            1 => (i.v4.rib_log.tail(), i.v4.entries.len()),
            _ => (i.v6.rib_log.tail(), i.v6.entries.len()),
        };
        let snapshot = c.cursor.snapshot.map_or(0, |at| slots.saturating_sub(at));
        snapshot + tail.wrapping_sub(c.cursor.pos) as usize
    }

    /// What a consumer's group has in common, its path identifiers, the consumer, and the instance.
    pub fn export_terms(
        &self,
        consumer: u32,
    ) -> Option<(&ExportTerms, &PathIds, &ExportConsumer, usize)> {
        let c = self.exports.consumers.get(consumer as usize)?.as_ref()?;
        let g = self.exports.groups[c.group].as_ref()?;
        Some((&g.terms, &g.known.ids, c, g.instance))
    }

    /// Who shares bytes with whom, and how often that came to pass.
    pub fn export_groups(&self) -> Vec<Value> {
        let groups = self.exports.groups.iter().enumerate();
        let row = |(at, g): (usize, &Group)| {
            let consumers = self.exports.consumers.iter().enumerate();
            let members = consumers.filter_map(|(n, c)| {
                let c = c.as_ref().filter(|c| c.group == at)?;
                Some(Value::Map(vec![
                    ("consumer", int(n as u32)),
                    ("peer_source", int(c.peer)),
                    ("backlog", int(self.export_backlog(n as u32) as i64)),
                ]))
            });
            Value::Map(vec![
                ("afi", int(g.terms.afi)),
                ("safi", int(g.terms.safi)),
                ("ebgp", Value::Bool(g.terms.ebgp)),
                ("member", Value::Bool(g.terms.member)),
                ("instance", int(g.instance as u32)),
                ("members", Value::List(members.collect())),
                ("encoded", int(g.encoded as i64)),
                ("shared", int(g.shared as i64)),
            ])
        };
        groups
            .filter_map(|(at, g)| g.as_ref().map(|g| row((at, g))))
            .collect()
    }
}
