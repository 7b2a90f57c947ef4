//! What a peer is told by the tables as they are: which best paths, and under what. Its UPDATEs are made from this, and people see it.

use super::attributes_encode::encode_attributes;
use super::core::Core;
use super::engine::Engine;
use super::export::ExportConsumer;
use super::export_terms::{ExportTerms, Told};
use super::infos::Info;
use super::nexthop::SetKind;
use super::originate::origin;
use super::source::Kind;
use super::stale::Age;
use super::table::{Entry, Table, HAS_BEST, VACANT};
use super::update_encode::fits;
use super::value::{attributes_value, text, Value};
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
    let path = &t.paths[e.head as usize];
    let info = &core.infos[path.info];
    let set = &core.hops.sets[info.next_hops as usize];
    let source = &core.sources[path.source as usize];
    let internal = info.kind == Kind::Bgp && !terms.ebgp && !source.ebgp;
    let tagged = info.summary.well_known & LLGR_STALE != 0;
    let stale = tagged || core.age(t, e.head, path) == Age::LongLived;
    let origin = if info.kind == Kind::Bgp {
        // RFC 4271 9.2: iBGP routes do not go to iBGP peers, unless one of both is our client (RFC 4456 6)
        if internal && !source.client && !terms.client {
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
    let told = Told {
        next_hop: terms.next_hop(info, own, internal)?,
        origin,
        igp_metric: set.metric,
        reflected: internal.then_some(source.router_id),
        stale: stale && !tagged,
    };
    Some((e.head, told))
}

/// The entries that a consumer is told, without those that its peer gave and those that no message of its session has room for.
fn told_to<'a, A: Addr>(
    core: &'a Core,
    t: &'a Table<A>,
    terms: &'a ExportTerms,
    peer: u32,
) -> impl Iterator<Item = (Prefix<A>, u32, Told)> + 'a {
    t.entries
        .iter()
        .filter(|e| e.flags & VACANT == 0)
        .filter_map(move |e| {
            let (path, told) = exportable(core, t, e, terms)?;
            let p = &t.paths[path as usize];
            let wanted = p.source != peer && has_room::<A>(terms, &core.infos[p.info], &told);
            wanted.then_some((e.prefix, path, told))
        })
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
    /// Prefixes that the tables as they are now let this peer be told.
    pub fn export_count(&self, consumer: u32) -> usize {
        let Some((terms, c, instance)) = self.export_terms(consumer) else {
            return 0;
        };
        let i = &self.instances[instance];
        match terms.afi {
            1 => told_to(&self.core, &i.v4, terms, c.peer).count(),
            _ => told_to(&self.core, &i.v6, terms, c.peer).count(),
        }
    }

    /// Up to `limit` rows of what a consumer's peer is told.
    pub fn adj_rib_out(&self, consumer: u32, limit: usize) -> Vec<Value> {
        let Some((terms, c, instance)) = self.export_terms(consumer) else {
            return Vec::new();
        };
        let i = &self.instances[instance];
        match terms.afi {
            1 => rows(&self.core, &i.v4, terms, c, limit),
            _ => rows(&self.core, &i.v6, terms, c, limit),
        }
    }
}

fn rows<A: Addr>(
    core: &Core,
    t: &Table<A>,
    terms: &ExportTerms,
    c: &ExportConsumer,
    limit: usize,
) -> Vec<Value> {
    let wide = ExportTerms {
        four_octet_as: true, // what people read has no AS_TRANS
        ..terms.clone()
    };
    let mut rows: Vec<(Prefix<A>, Value)> = Vec::new();
    for (prefix, path, told) in told_to(core, t, terms, c.peer) {
        if rows.len() == limit {
            break;
        }
        let info = &core.infos[t.paths[path as usize].info];
        let mut block = Vec::new();
        encode_attributes(&wide, info, &told, &mut block);
        let hop = c.ourselves.told(told.next_hop);
        let row = Value::Map(vec![
            ("prefix", text(prefix.text())),
            (
                "attributes",
                attributes_value(&block, hop.ip, hop.link_local),
            ),
        ]);
        rows.push((prefix, row));
    }
    rows.sort_by_key(|r| r.0);
    rows.into_iter().map(|r| r.1).collect()
}
