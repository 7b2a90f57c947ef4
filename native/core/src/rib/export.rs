//! What peers are told: one cursor per peer and family over the log of best paths. Peers with equal terms form a group; a stretch
//! of the log is encoded once and its bytes serve every member that comes to the same position.

use std::collections::VecDeque;
use std::sync::Arc;

use super::core::Core;
use super::engine::Engine;
use super::export_rows::{For, Rows, Segment};
use super::feed::{before, Pos};
use super::fib::{Bits, Cursor};
use super::nexthop::SetKind;
use super::source::Kind;
use super::table::{Entry, Feed, Table, HAS_BEST, IN_RIB_LOG, NETWORK, SEVERAL_SOURCES, VACANT};
use super::update_encode::{end_of_rib, ExportTerms};
use super::NONE;
use crate::prefix::{Addr, Ip};
use crate::wire::attributes::{NO_ADVERTISE, NO_EXPORT, NO_EXPORT_SUBCONFED};

/// Encoded stretches a group keeps for members that follow close behind.
const KEPT: usize = 4;

/// One encoded stretch of the log.
struct Chunk {
    from: (Option<usize>, Pos),
    max: usize,
    to: Cursor,
    buf: Vec<u8>,
    segments: Vec<Segment>,
}

impl Chunk {
    fn for_peer(&self, peer: u32) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.buf.len());
        for s in &self.segments {
            let wanted = match s.who {
                For::AllBut(source) => source != peer,
                For::Only(source) => source == peer,
            };
            if wanted {
                out.extend_from_slice(&self.buf[s.start..s.end]);
            }
        }
        out
    }
}

struct Group {
    terms: ExportTerms,
    instance: usize,
    members: usize,
    /// Slots that a member may have been told about; never cleared while the slot lives, so that no withdrawal is lost.
    told: Bits,
    kept: VecDeque<Arc<Chunk>>,
}

pub struct ExportConsumer {
    group: usize,
    peer: u32,
    cursor: Cursor,
    end_of_rib_due: bool,
}

#[derive(Default)]
pub struct Exports {
    groups: Vec<Option<Group>>,
    pub consumers: Vec<Option<ExportConsumer>>,
}

impl Engine {
    /// A new Adj-RIB-Out of one peer and family, at the start of its initial table.
    pub fn export_open(&mut self, peer: u32, terms: ExportTerms) -> u32 {
        let instance = usize::from(self.core.sources[peer as usize].instance);
        let log = match terms.afi {
            1 => &mut self.instances[instance].v4.rib_log,
            _ => &mut self.instances[instance].v6.rib_log,
        };
        log.consumers += 1;
        let pos = log.tail();
        log.note_read(pos);
        let groups = &mut self.exports.groups;
        let same = groups.iter().position(|g| {
            g.as_ref()
                .is_some_and(|g| g.terms == terms && g.instance == instance)
        });
        let group = same.unwrap_or_else(|| {
            let at = groups.iter().position(Option::is_none).unwrap_or_else(|| {
                groups.push(None);
                groups.len() - 1
            });
            groups[at] = Some(Group {
                terms,
                instance,
                members: 0,
                told: Bits::default(),
                kept: VecDeque::new(),
            });
            at
        });
        if let Some(g) = &mut groups[group] {
            g.members += 1;
        }
        self.exports.consumers.push(Some(ExportConsumer {
            group,
            peer,
            cursor: Cursor {
                snapshot: Some(0),
                pos,
            },
            end_of_rib_due: true,
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
        let (instance, afi) = (group.instance, group.terms.afi);
        if group.members == 0 {
            self.exports.groups[c.group] = None;
        }
        match afi {
            1 => self.instances[instance].v4.rib_log.consumers -= 1,
            _ => self.instances[instance].v6.rib_log.consumers -= 1,
        }
        self.trim_rib(instance, afi);
    }

    /// Whole UPDATE messages, the next of this peer's stream; empty where a stretch held nothing for it; `None` when it has everything.
    pub fn export_read(&mut self, consumer: u32, max: usize) -> Option<Vec<u8>> {
        let mut c = self.exports.consumers.get_mut(consumer as usize)?.take()?;
        let out = self.read_for(&mut c, max);
        let place = self.exports.groups[c.group]
            .as_ref()
            .map(|g| (g.instance, g.terms.afi));
        self.exports.consumers[consumer as usize] = Some(c);
        if let (Some((instance, afi)), Some(_)) = (place, &out) {
            self.trim_rib(instance, afi);
        }
        out
    }

    fn read_for(&mut self, c: &mut ExportConsumer, max: usize) -> Option<Vec<u8>> {
        let group = self.exports.groups[c.group].as_mut()?;
        let instance = &mut self.instances[group.instance];
        let tail = match group.terms.afi {
            1 => instance.v4.rib_log.tail(),
            _ => instance.v6.rib_log.tail(),
        };
        if c.cursor.snapshot.is_none() && c.cursor.pos == tail {
            return None;
        }
        let from = (c.cursor.snapshot, c.cursor.pos);
        let known = group.kept.iter().find(|k| k.from == from && k.max == max);
        let chunk = match known {
            Some(chunk) => Arc::clone(chunk),
            None => {
                let chunk = match group.terms.afi {
                    1 => encode(&self.core, &mut instance.v4, group, c.cursor, max),
                    _ => encode(&self.core, &mut instance.v6, group, c.cursor, max),
                };
                let chunk = Arc::new(chunk);
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
        match group.terms.afi {
            1 => instance.v4.rib_log.note_read(c.cursor.pos),
            _ => instance.v6.rib_log.note_read(c.cursor.pos),
        }
        let mut out = chunk.for_peer(c.peer);
        if c.cursor.snapshot.is_none() && std::mem::take(&mut c.end_of_rib_due) {
            end_of_rib(group.terms.afi, group.terms.safi, &mut out);
        }
        Some(out)
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

    /// Prefixes that the tables as they are now let this peer be told.
    pub fn export_count(&self, consumer: u32) -> usize {
        let Some((terms, peer, instance)) = self.export_terms(consumer) else {
            return 0;
        };
        let i = &self.instances[instance];
        match terms.afi {
            1 => count_told(&self.core, &i.v4, terms, peer),
            _ => count_told(&self.core, &i.v6, terms, peer),
        }
    }

    pub fn export_terms(&self, consumer: u32) -> Option<(&ExportTerms, u32, usize)> {
        let c = self.exports.consumers.get(consumer as usize)?.as_ref()?;
        let g = self.exports.groups[c.group].as_ref()?;
        Some((&g.terms, c.peer, g.instance))
    }

    fn trim_rib(&mut self, instance: usize, afi: u16) {
        let groups = &mut self.exports.groups;
        let mut cursors: Vec<&mut Pos> = Vec::new();
        for c in self.exports.consumers.iter_mut().flatten() {
            let here = groups[c.group]
                .as_ref()
                .is_some_and(|g| g.instance == instance && g.terms.afi == afi);
            if here {
                cursors.push(&mut c.cursor.pos);
            }
        }
        let i = &mut self.instances[instance];
        let compacted = match afi {
            1 => i.v4.trim(Feed::Rib, &mut cursors),
            _ => i.v6.trim(Feed::Rib, &mut cursors),
        };
        if compacted {
            groups.iter_mut().flatten().for_each(|g| g.kept.clear()); // positions mean something else now
        }
        forget_freed(groups, instance, 1, &mut i.v4.freed);
        forget_freed(groups, instance, 2, &mut i.v6.freed);
    }
}

fn forget_freed(groups: &mut [Option<Group>], instance: usize, afi: u16, freed: &mut Vec<u32>) {
    for g in groups.iter_mut().flatten() {
        if g.instance == instance && g.terms.afi == afi {
            freed.iter().for_each(|&i| g.told.set(i, false));
        }
    }
    freed.clear();
}

/// The path of an entry that this group is told, as (path slot, info): the best one, where the rules let it out.
pub fn exportable<A: Addr>(
    core: &Core,
    t: &Table<A>,
    e: &Entry<A>,
    terms: &ExportTerms,
) -> Option<(u32, Ip)> {
    if e.flags & HAS_BEST == 0 {
        return None;
    }
    let path = &t.paths[e.head as usize];
    let info = &core.infos[path.info];
    let set = &core.hops.sets[info.next_hops as usize];
    if info.kind == Kind::Bgp {
        // RFC 4271 9.2: iBGP routes do not go to iBGP peers
        if !terms.ebgp && !core.sources[path.source as usize].ebgp {
            return None;
        }
        let barred = if terms.ebgp {
            NO_EXPORT | NO_ADVERTISE | NO_EXPORT_SUBCONFED
        } else {
            NO_ADVERTISE
        };
        if info.summary.well_known & barred != 0 {
            return None; // RFC 1997
        }
    } else if e.flags & NETWORK == 0 {
        return None;
    }
    let own = if set.key.kind == SetKind::Via {
        set.key.hops.first().map_or(Ip::None, |h| h.addr)
    } else {
        Ip::None
    };
    Some((e.head, terms.next_hop(info, own)?))
}

fn count_told<A: Addr>(core: &Core, t: &Table<A>, terms: &ExportTerms, peer: u32) -> usize {
    t.entries
        .iter()
        .filter(|e| e.flags & VACANT == 0)
        .filter_map(|e| exportable(core, t, e, terms))
        .filter(|told| t.paths[told.0 as usize].source != peer)
        .count()
}

fn encode<A: Addr>(
    core: &Core,
    t: &mut Table<A>,
    group: &mut Group,
    from: Cursor,
    max: usize,
) -> Chunk {
    for i in t.freed.drain(..) {
        group.told.set(i, false);
    }
    let mut rows = Rows::default();
    let mut to = from;
    let mut left = max;
    if let Some(mut idx) = from.snapshot {
        while left > 0 && idx < t.entries.len() {
            let e = &t.entries[idx];
            if e.flags & VACANT == 0 {
                if let Some((path, nh)) = exportable(core, t, e, &group.terms) {
                    rows.announce(t, e.prefix, path, nh);
                    group.told.set(idx as u32, true);
                    left -= 1;
                }
            }
            idx += 1;
        }
        to.snapshot = (idx < t.entries.len()).then_some(idx);
    }
    let tail = t.rib_log.tail();
    while to.snapshot.is_none() && left > 0 && before(to.pos, tail) {
        let idx = t.rib_log.get(to.pos);
        let e = &t.entries[idx as usize];
        if e.flags & IN_RIB_LOG != 0 && e.rib_pos == to.pos {
            left -= 1;
            let several = e.flags & SEVERAL_SOURCES != 0;
            match exportable(core, t, e, &group.terms) {
                Some((path, nh)) => {
                    rows.announce(t, e.prefix, path, nh);
                    if several && group.told.get(idx) {
                        rows.withdraw(e.prefix, For::Only(t.paths[path as usize].source));
                    }
                    group.told.set(idx, true);
                }
                None if group.told.get(idx) => {
                    // Its only giver was never told of it
                    let except = if several { NONE } else { e.last_source };
                    rows.withdraw(e.prefix, For::AllBut(except));
                }
                None => {}
            }
        }
        to.pos = to.pos.wrapping_add(1);
    }
    let (buf, segments) = rows.write(core, &group.terms);
    Chunk {
        from: (from.snapshot, from.pos),
        max,
        to,
        buf,
        segments,
    }
}
