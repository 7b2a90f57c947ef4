//! What a peer is told by the tables as they are: which best paths, and under what. Its UPDATEs are made from this, and people see it.

use super::attributes_encode::encode_attributes;
use super::core::Core;
use super::engine::Engine;
use super::export::ExportConsumer;
use super::export_terms::{ExportTerms, NextHop, Told};
use super::infos::Info;
use super::nexthop::SetKind;
use super::originate::origin;
use super::path_ids::PathIds;
use super::several::paths_told;
use super::source::Kind;
use super::stale::Age;
use super::table::{Entry, Table, HAS_BEST, PENDING, VACANT};
use super::update_encode::fits;
use super::value::{attributes_value, int, text, Value};
use crate::prefix::{Addr, Ip, Prefix};
use crate::wire::attributes::{LLGR_STALE, NO_ADVERTISE, NO_EXPORT, NO_EXPORT_SUBCONFED};

/// The path of an entry that a group is told, and under what: the best one, where the rules let it out.
pub fn exportable<A: Addr>(
    core: &Core,
    t: &Table<A>,
    e: &Entry<A>,
    terms: &ExportTerms,
) -> Option<(u32, Told)> {
    if e.flags & HAS_BEST == 0 {
        return None;
    }
    let told = tellable(core, t, e, e.head, terms)?;
    (!withheld(core, t, e, e.head, &told)).then_some((e.head, told))
}

/// Whether what may be told of a path waits for the boxes: who sends us packets for it needs them to know where to. A connected
/// subnet is the kernel's own.
#[inline]
pub fn withheld<A: Addr>(core: &Core, t: &Table<A>, e: &Entry<A>, slot: u32, told: &Told) -> bool {
    e.flags & PENDING != 0
        && !matches!(told.next_hop, NextHop::Other(_))
        && core.infos[t.paths[slot as usize].info].kind != Kind::Connected
}

/// Under what a group may be told of a path of an entry, if it may.
#[inline]
pub fn tellable<A: Addr>(
    core: &Core,
    t: &Table<A>,
    e: &Entry<A>,
    slot: u32,
    terms: &ExportTerms,
) -> Option<Told> {
    let path = &t.paths[slot as usize];
    let info = &core.infos[path.info];
    let set = &core.hops.sets[info.next_hops as usize];
    let source = &core.sources[path.source as usize];
    let ibgp = !(source.ebgp || source.member || terms.ebgp || terms.member);
    let internal = info.kind == Kind::Bgp && ibgp;
    let tagged = info.summary.well_known & LLGR_STALE != 0;
    let stale = tagged || core.age(t, slot, path) == Age::LongLived;
    let origin = if info.kind == Kind::Bgp {
        // RFC 4271 9.2: iBGP routes do not go to iBGP peers, unless one of both is our client (RFC 4456 6)
        if internal && !source.client && !terms.client {
            return None;
        }
        let barred = if terms.ebgp {
            NO_EXPORT | NO_ADVERTISE | NO_EXPORT_SUBCONFED
        } else if terms.member {
            NO_ADVERTISE | NO_EXPORT_SUBCONFED
        } else {
            NO_ADVERTISE
        };
        if info.summary.well_known & barred != 0 {
            return None; // RFC 1997
        }
        if stale && !terms.llgr {
            return None; // RFC 9494 4.5
        }
        let role = terms.role.filter(|_| terms.ebgp);
        if role.is_some_and(|role| !role.may_tell(info.summary.otc)) {
            return None; // RFC 9234 5, egress 2
        }
        info.summary.origin
    } else {
        origin(t, e, info.kind, &set.key)?
    };
    let own = match set.key.kind {
        SetKind::Via => set.key.hops.first().map_or(Ip::None, |h| h.addr),
        _ => Ip::None,
    };
    Some(Told {
        next_hop: terms.next_hop(info, own, internal)?,
        origin,
        igp_metric: set.metric,
        reflected: internal.then_some(source.router_id),
        stale: stale && !tagged,
    })
}

/// What of an entry a peer is told.
struct Row<A> {
    prefix: Prefix<A>,
    /// 0 where the session has no identifiers.
    path_id: u32,
    path: u32,
    told: Told,
}

/// The paths that a consumer is told, without those that its peer gave and those that no message of its session has room for.
fn told_to<'a, A: Addr>(
    core: &'a Core,
    t: &'a Table<A>,
    group: (&'a ExportTerms, &'a PathIds),
    peer: u32,
) -> impl Iterator<Item = Row<A>> + 'a {
    let (terms, ids) = group;
    let rows = move |idx: usize| {
        let e = &t.entries[idx];
        let row = |path, told, path_id| Row {
            prefix: e.prefix,
            path_id,
            path,
            told,
        };
        let (best, several) = if e.flags & VACANT != 0 {
            (None, Vec::new())
        } else if terms.add_path > 0 {
            (None, path_rows(core, t, idx as u32, terms, ids, row))
        } else {
            let best = exportable(core, t, e, terms);
            (best.map(|(path, told)| row(path, told, 0)), Vec::new())
        };
        best.into_iter().chain(several)
    };
    (0..t.entries.len()).flat_map(rows).filter(move |r| {
        let p = &t.paths[r.path as usize];
        p.source != peer && has_room::<A>(terms, &core.infos[p.info], &r.told)
    })
}

fn path_rows<A: Addr>(
    core: &Core,
    t: &Table<A>,
    idx: u32,
    terms: &ExportTerms,
    ids: &PathIds,
    row: impl Fn(u32, Told, u32) -> Row<A>,
) -> Vec<Row<A>> {
    let (paths, _) = paths_told(core, t, idx, terms);
    let known = paths
        .iter()
        .map(|&(at, _)| (at, t.paths[at as usize].source));
    let assigned = ids.preview(idx, known);
    let named = paths.iter().zip(assigned);
    named.map(|(&(at, told), a)| row(at, told, a.id)).collect()
}

fn has_room<A: Addr>(terms: &ExportTerms, info: &Info, told: &Told) -> bool {
    // Export adds no more than AS4_PATH, as long as AS_PATH, and what is short
    if 2 * info.attributes.len() + 256 < terms.max_message {
        return true;
    }
    let mut block = Vec::new();
    encode_attributes(terms, info, told, &mut block);
    fits::<A>(terms, block.len(), told.next_hop)
}

impl Engine {
    /// Paths that the tables as they are now let this peer be told.
    pub fn export_count(&self, consumer: u32) -> usize {
        let Some((terms, ids, c, instance)) = self.export_terms(consumer) else {
            return 0;
        };
        let i = &self.instances[instance];
        match terms.afi {
            1 => told_to(&self.core, &i.v4, (terms, ids), c.peer).count(),
            _ => told_to(&self.core, &i.v6, (terms, ids), c.peer).count(),
        }
    }

    /// Up to `limit` rows of what a consumer's peer is told.
    pub fn adj_rib_out(&self, consumer: u32, limit: usize) -> Vec<Value> {
        let Some((terms, ids, c, instance)) = self.export_terms(consumer) else {
            return Vec::new();
        };
        let i = &self.instances[instance];
        match terms.afi {
            1 => rows(&self.core, &i.v4, (terms, ids), c, limit),
            _ => rows(&self.core, &i.v6, (terms, ids), c, limit),
        }
    }
}

fn rows<A: Addr>(
    core: &Core,
    t: &Table<A>,
    group: (&ExportTerms, &PathIds),
    c: &ExportConsumer,
    limit: usize,
) -> Vec<Value> {
    let terms = group.0;
    let wide = ExportTerms {
        four_octet_as: true, // what people read has no AS_TRANS
        ..terms.clone()
    };
    let mut rows: Vec<((Prefix<A>, u32), Value)> = Vec::new();
    for r in told_to(core, t, group, c.peer).take(limit) {
        let info = &core.infos[t.paths[r.path as usize].info];
        let mut block = Vec::new();
        encode_attributes(&wide, info, &r.told, &mut block);
        let hop = c.ourselves.told(r.told.next_hop);
        let path_id = match terms.add_path {
            0 => Value::Null,
            _ => int(r.path_id),
        };
        let row = Value::Map(vec![
            ("prefix", text(r.prefix.text())),
            ("path_id", path_id),
            (
                "attributes",
                attributes_value(&block, hop.ip, hop.link_local),
            ),
        ]);
        rows.push(((r.prefix, r.path_id), row));
    }
    rows.sort_by_key(|r| r.0);
    rows.into_iter().map(|r| r.1).collect()
}
