//! One cursor per peer and family over the log of best paths. Peers with equal terms form a group; a stretch of the log is encoded
//! once and its bytes, with each member's own address put in, serve every member that comes to the same position.

use std::collections::VecDeque;
use std::sync::Arc;

use super::ends::Ends;
use super::engine::Engine;
use super::export_terms::{ExportTerms, Ourselves};
use super::feed::Log;
use super::instance::Family;
use super::marks::Bits;
use super::path_ids::PathIds;
use super::stretch::{encode, Chunk, Place, Slots};
use super::table::HELD;
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

pub(super) struct Group {
    pub(super) terms: ExportTerms,
    pub(super) instance: usize,
    members: usize,
    pub(super) known: Known,
    pub(super) kept: VecDeque<Chunk>,
    /// Stretches encoded, and stretches that a member had of another's bytes.
    encoded: u64,
    shared: u64,
}

impl Group {
    pub(super) fn new(terms: ExportTerms, instance: usize) -> Self {
        Group {
            terms,
            instance,
            members: 0,
            known: Known::default(),
            kept: VecDeque::new(),
            encoded: 0,
            shared: 0,
        }
    }

    pub(super) fn reads(&self, instance: usize, afi: u16) -> bool {
        (self.instance, self.terms.afi) == (instance, afi)
    }
}

/// The marker behind an initial table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EndOfRib {
    /// The table is not over.
    Table,
    /// It is; the number of its end (`ends.rs`).
    Behind(u64),
    Told,
}

impl EndOfRib {
    fn is_due(self, ends: &Ends) -> bool {
        matches!(self, EndOfRib::Behind(number) if ends.is_over(number))
    }
}

pub struct ExportConsumer {
    pub(super) group: usize,
    pub peer: u32,
    pub ourselves: Ourselves,
    pub(super) place: Place,
    /// Its initial table has not begun: it will be the table as it is then, or another's of its group that has just begun.
    pub(super) unread: bool,
    pub(super) end_of_rib: EndOfRib,
    /// What its group was told when it had last read, if it has not read since a walk for tombstones began.
    pub(super) stalled: Option<Arc<Bits>>,
}

#[derive(Default)]
pub struct Exports {
    pub(super) groups: Vec<Option<Group>>,
    pub consumers: Vec<Option<ExportConsumer>>,
}

impl Engine {
    /// A new Adj-RIB-Out of one peer and family, at the start of its initial table.
    pub fn export_open(&mut self, peer: u32, terms: ExportTerms, ourselves: Ourselves) -> u32 {
        let instance = usize::from(self.core.sources[peer as usize].instance);
        let several = terms.add_path > 0;
        let i = &mut self.instances[instance];
        let start = match terms.afi {
            1 => i.v4.read_by_one_more(several),
            _ => i.v6.read_by_one_more(several),
        };
        let group = self.exports.group(terms, instance);
        let shared = self.exports.shared_start(group);
        if let Some(g) = &mut self.exports.groups[group] {
            g.members += 1;
        }
        self.exports.consumers.push(Some(ExportConsumer {
            group,
            peer,
            ourselves,
            place: shared.unwrap_or(start),
            unread: true,
            end_of_rib: EndOfRib::Table,
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
            let Some(g) = &self.exports.groups[c.group] else {
                return;
            };
            let i = &self.instances[g.instance];
            c.place.snapshot = Some(match g.terms.afi {
                1 => Slots::all(&i.v4),
                _ => Slots::all(&i.v6),
            });
            c.end_of_rib = EndOfRib::Table;
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
        let t = A::table_mut(&mut self.instances[instance]);
        if std::mem::take(&mut c.unread) {
            let group = self.exports.groups[c.group].as_ref()?;
            let shared = |k: &Chunk| k.from == c.place && k.max == max;
            if !group.kept.iter().any(shared) {
                self.exports.begin(c, Place::start(t));
            }
        }
        let group = self.exports.groups[c.group].as_mut()?;
        let (tail, installed) = (t.rib_log.tail(), t.answered.log.tail());
        let at_end = |p: &Place| p.snapshot.is_none() && p.installed == installed;
        if at_end(&c.place) && c.place.pos == tail {
            return c.end_of_rib.is_due(&t.answered.ends).then(|| {
                let mut out = Vec::new();
                c.end_of_rib = EndOfRib::Told;
                end_of_rib(group.terms.afi, group.terms.safi, &mut out);
                (out, 1)
            });
        }
        let known = group
            .kept
            .iter()
            .find(|k| k.from == c.place && k.max == max);
        let (to, (mut out, mut messages)) = match known {
            Some(chunk) => {
                group.shared += 1;
                (chunk.to, chunk.encoding.for_peer(c.peer, &c.ourselves))
            }
            None => {
                let (terms, known) = (&group.terms, &mut group.known);
                let chunk = encode(&self.core, t, terms, known, c.place, max);
                for &idx in &chunk.held {
                    t.entries[idx as usize].flags |= HELD;
                }
                group.encoded += 1;
                if group.members == 1 {
                    (chunk.to, chunk.encoding.into_peer(c.peer, &c.ourselves))
                } else {
                    let told = chunk.encoding.for_peer(c.peer, &c.ourselves);
                    if group.kept.len() == KEPT {
                        group.kept.pop_front();
                    }
                    let to = chunk.to;
                    group.kept.push_back(chunk);
                    (to, told)
                }
            }
        };
        c.place = to;
        t.rib_log.note_read(c.place.pos);
        if c.place.snapshot.is_none() && c.end_of_rib == EndOfRib::Table {
            c.end_of_rib = EndOfRib::Behind(t.end_of_table());
        }
        if at_end(&c.place) && c.end_of_rib.is_due(&t.answered.ends) {
            c.end_of_rib = EndOfRib::Told;
            end_of_rib(group.terms.afi, group.terms.safi, &mut out);
            messages += 1;
        }
        Some((out, messages))
    }

    /// How much lies ahead of a consumer: records, slots while its initial table lasts, and the marker where it waits for the boxes.
    pub fn export_backlog(&self, consumer: u32) -> usize {
        let Some(Some(c)) = self.exports.consumers.get(consumer as usize) else {
            return 0;
        };
        let Some(g) = &self.exports.groups[c.group] else {
            return 0;
        };
        let i = &self.instances[g.instance];
        let (log, installed) = match g.terms.afi {
            1 => (&i.v4.rib_log, &i.v4.answered.log),
            _ => (&i.v6.rib_log, &i.v6.answered.log),
        };
        let snapshot = c.place.snapshot.map_or(0, |s| s.end - s.next);
        let marker = matches!(c.end_of_rib, EndOfRib::Behind(_));
        let behind = |log: &Log, pos| log.tail().wrapping_sub(pos) as usize;
        snapshot
            + behind(log, c.place.pos)
            + behind(installed, c.place.installed)
            + usize::from(marker)
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
