//! What people and tests ask: one prefix with everything about it, pages of a table, groups. Plain values out, no table reference.

use super::core::Core;
use super::engine::Engine;
use super::export::exportable;
use super::infos::Info;
use super::nexthop::AdjacencyKind;
use super::select::{select, Step, STEP_NAMES};
use super::source::Kind;
use super::table::{Entry, Table, HAS_BEST, VACANT};
use super::update_encode::{encode_attributes, fits, ExportTerms};
use super::value::{attributes_value, int, ip, prefix_text, text, text_or_null, Value};
use super::NONE;
use crate::prefix::{Addr, AnyPrefix, Ip, Prefix};

impl Core {
    fn adjacency_value(&self, id: u32) -> Vec<(&'static str, Value)> {
        let a = &self.hops.adjacencies[id as usize];
        let kind = match a.kind {
            AdjacencyKind::Ip => "ip",
            AdjacencyKind::Drop => "drop",
            AdjacencyKind::Local => "local",
            AdjacencyKind::Unreachable => "unreachable",
        };
        vec![
            ("id", int(id)),
            ("ncp", text_or_null(self.hops.name(a.ncp))),
            ("port", text_or_null(self.hops.name(a.port))),
            ("gateway", ip(a.gateway)),
            ("kind", text(kind)),
        ]
    }

    fn group_value(&self, id: u32) -> Value {
        let set = &self.hops.sets[id as usize];
        let members = set.members.iter().map(|m| {
            let mut row = self.adjacency_value(m.adjacency);
            row[0].0 = "adjacency";
            row.push(("weight", int(m.weight)));
            row.push(("role", int(m.role)));
            Value::Map(row)
        });
        Value::Map(vec![
            ("id", int(id)),
            (
                "key",
                text(
                    set.hash
                        .iter()
                        .map(|b| format!("{b:02x}"))
                        .collect::<String>(),
                ),
            ),
            ("kind", int(self.hops.group_kind(id) as u8)),
            ("members", Value::List(members.collect())),
            ("routes", int(set.routes)),
            ("resolved", Value::Bool(set.resolved)),
        ])
    }

    fn next_hops_value(&self, set: u32) -> Value {
        let key = &self.hops.sets[set as usize].key;
        let rows = key.hops.iter().map(|h| {
            let (resolved, via, metric, adjacencies) = if h.tracker == NONE {
                let own: Vec<u32> = self.hops.sets[set as usize]
                    .members
                    .iter()
                    .map(|m| m.adjacency)
                    .filter(|&a| {
                        let a = &self.hops.adjacencies[a as usize];
                        (a.ncp, a.port, a.gateway) == (h.ncp, h.port, h.addr)
                    })
                    .collect();
                (true, Value::Null, 0, own)
            } else {
                let t = &self.hops.trackers[h.tracker as usize];
                let via = t.via.as_ref().map_or(Value::Null, |p| text(prefix_text(p)));
                let r = &t.resolution;
                (r.resolved, via, r.metric, r.adjacencies.clone())
            };
            Value::Map(vec![
                ("address", ip(h.addr)),
                ("ncp", text_or_null(self.hops.name(h.ncp))),
                ("port", text_or_null(self.hops.name(h.port))),
                ("weight", int(h.weight)),
                ("resolved", Value::Bool(resolved)),
                ("via", via),
                ("metric", int(metric)),
                (
                    "adjacencies",
                    Value::List(
                        adjacencies
                            .into_iter()
                            .map(|a| Value::Map(self.adjacency_value(a)))
                            .collect(),
                    ),
                ),
            ])
        });
        Value::List(rows.collect())
    }

    fn info_attributes(&self, info: &Info) -> Value {
        if info.kind != Kind::Bgp {
            return Value::Null;
        }
        let hops = &self.hops.sets[info.next_hops as usize].key.hops;
        attributes_value(
            &info.attributes,
            hops.first().map_or(Ip::None, |h| h.addr),
            info.link_local(),
        )
    }

    fn why_unusable(&self, set: u32) -> String {
        let key = &self.hops.sets[set as usize].key;
        let names: Vec<String> = key.hops.iter().map(|h| h.addr.text()).collect();
        format!("next hop unresolved: {}", names.join(", "))
    }

    fn describe<A: Addr>(&self, t: &Table<A>, idx: u32) -> Value {
        let e = &t.entries[idx as usize];
        let mut candidates = Vec::new();
        self.candidates(t, idx, |s| self.standing(s), &mut candidates);
        let usable: Vec<u32> = candidates.iter().map(|c| c.path).collect();
        let mut lost: Vec<(u32, Step)> = Vec::new();
        let best = select(&mut candidates, &t.options, &mut |p, s| lost.push((p, s)));
        let mut paths: Vec<(u32, u32, Value)> = Vec::new();
        for (at, p) in t.path_list(idx) {
            let s = &self.sources[p.source as usize];
            if !s.up {
                continue;
            }
            let info = &self.infos[p.info];
            let is_best = best.is_some_and(|b| b.0 == at);
            let reason = if is_best {
                best.map_or("", |b| b.1.name()).to_owned()
            } else if let Some((_, step)) = lost.iter().find(|l| l.0 == at) {
                step.name().to_owned()
            } else {
                self.why_unusable(info.next_hops)
            };
            let row = Value::Map(vec![
                ("source", int(p.source)),
                ("protocol", text(info.kind.name())),
                ("path_id", int(p.path_id)),
                ("distance", int(info.distance.unwrap_or(s.distance))),
                ("metric", int(info.metric)),
                ("tag", int(info.tag)),
                ("best", Value::Bool(is_best)),
                ("usable", Value::Bool(usable.contains(&at))),
                ("reason", text(reason)),
                ("next_hops", self.next_hops_value(info.next_hops)),
                ("attributes", self.info_attributes(info)),
            ]);
            paths.push((p.source, p.path_id, row));
        }
        paths.sort_by_key(|p| (p.0, p.1));
        Value::Map(vec![
            ("prefix", text(e.prefix.text())),
            ("table", int(t.id)),
            ("step", text(best.map_or("none", |b| b.1.name()))),
            (
                "paths",
                Value::List(paths.into_iter().map(|p| p.2).collect()),
            ),
            (
                "group",
                if e.group == NONE {
                    Value::Null
                } else {
                    self.group_value(e.group)
                },
            ),
        ])
    }

    fn row<A: Addr>(&self, t: &Table<A>, e: &Entry<A>) -> Value {
        let p = &t.paths[e.head as usize];
        let info = &self.infos[p.info];
        let members = &self.hops.sets[info.next_hops as usize].members;
        Value::Map(vec![
            ("prefix", text(e.prefix.text())),
            ("protocol", text(info.kind.name())),
            ("source", int(p.source)),
            (
                "distance",
                int(info
                    .distance
                    .unwrap_or(self.sources[p.source as usize].distance)),
            ),
            ("metric", int(info.metric)),
            ("tag", int(info.tag)),
            ("step", text(STEP_NAMES[usize::from(e.step)])),
            (
                "next_hops",
                Value::List(
                    members
                        .iter()
                        .map(|m| Value::Map(self.adjacency_value(m.adjacency)))
                        .collect(),
                ),
            ),
            ("group", int(info.next_hops)),
            ("attributes", self.info_attributes(info)),
        ])
    }

    fn subtree<A: Addr>(&self, t: &Table<A>, p: Prefix<A>, limit: usize) -> Vec<Value> {
        let mut found: Vec<&Entry<A>> = t
            .entries
            .iter()
            .filter(|e| e.flags & VACANT == 0 && e.flags & HAS_BEST != 0)
            .filter(|e| e.prefix.len >= p.len && p.covers(e.prefix.addr))
            .collect();
        found.sort_by_key(|e| e.prefix);
        found
            .into_iter()
            .take(limit)
            .map(|e| self.row(t, e))
            .collect()
    }

    fn page<A: Addr>(&self, t: &Table<A>, cursor: usize, limit: usize) -> (Vec<Value>, usize) {
        let mut rows = Vec::new();
        let mut at = cursor;
        while at < t.entries.len() && rows.len() < limit {
            let e = &t.entries[at];
            if e.flags & VACANT == 0 && e.flags & HAS_BEST != 0 {
                rows.push(self.row(t, e));
            }
            at += 1;
        }
        (rows, if at < t.entries.len() { at } else { 0 })
    }
}

fn longest<A: Addr>(t: &Table<A>, addr: A) -> Option<AnyPrefix> {
    let idx = t
        .covering(addr, A::BITS)
        .find(|&i| t.entries[i as usize].flags & HAS_BEST != 0)?;
    let p = t.entries[idx as usize].prefix;
    AnyPrefix::from_bytes(&p.addr.wrap().to_bytes(), p.len)
}

fn add_counts<A: Addr>(t: &Table<A>, sum: &mut [i64; 4]) {
    let here = [
        t.populated as i64,
        t.path_count() as i64,
        t.fib_count as i64,
        t.fib_log.len() as i64,
    ];
    sum.iter_mut().zip(here).for_each(|(s, n)| *s += n);
}

impl Engine {
    pub fn lookup(&self, instance: usize, p: AnyPrefix) -> Option<Value> {
        let i = &self.instances[instance];
        let value = match p {
            AnyPrefix::V4(p) => self.core.describe(&i.v4, i.v4.find(&p)?),
            AnyPrefix::V6(p) => self.core.describe(&i.v6, i.v6.find(&p)?),
        };
        match &value {
            // an entry that only a feed still remembers
            Value::Map(m) if m.iter().any(|f| f.1 == Value::List(Vec::new())) => None,
            _ => Some(value),
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

    /// Rows from a slab cursor, and the next cursor, 0 at the end.
    pub fn page(
        &self,
        instance: usize,
        afi: u16,
        cursor: usize,
        limit: usize,
    ) -> (Vec<Value>, usize) {
        let i = &self.instances[instance];
        match afi {
            1 => self.core.page(&i.v4, cursor, limit),
            _ => self.core.page(&i.v6, cursor, limit),
        }
    }

    pub fn subtree(&self, p: AnyPrefix, limit: usize) -> Vec<Value> {
        let i = &self.instances[0];
        match p {
            AnyPrefix::V4(p) => self.core.subtree(&i.v4, p, limit),
            AnyPrefix::V6(p) => self.core.subtree(&i.v6, p, limit),
        }
    }

    /// Groups that routes use.
    pub fn group_rows(&self) -> Vec<Value> {
        let sets = self.core.hops.sets.iter().enumerate();
        sets.filter(|(_, s)| s.routes > 0)
            .map(|(id, _)| self.core.group_value(id as u32))
            .collect()
    }

    /// Sums over all instances.
    pub fn counts(&self) -> Value {
        let (mut v4, mut v6) = ([0; 4], [0; 4]);
        for i in &self.instances {
            add_counts(&i.v4, &mut v4);
            add_counts(&i.v6, &mut v6);
        }
        let family = |n: [i64; 4]| {
            let names = ["prefixes", "paths", "fib", "fib_log"];
            Value::Map(names.into_iter().zip(n.map(int)).collect())
        };
        let hops = &self.core.hops;
        Value::Map(vec![
            ("ipv4", family(v4)),
            ("ipv6", family(v6)),
            ("attribute_sets", int(self.core.infos.len() as i64)),
            (
                "attribute_bytes",
                int(self.core.infos.attribute_bytes() as i64),
            ),
            (
                "groups",
                int(hops.sets.iter().filter(|s| s.routes > 0).count() as i64),
            ),
            (
                "tracked_next_hops",
                int(hops.trackers.iter().filter(|t| !t.vacant).count() as i64),
            ),
        ])
    }

    /// What a consumer's peer is told, from the tables as they are now.
    pub fn adj_rib_out(&self, consumer: u32, limit: usize) -> Vec<Value> {
        let Some((terms, peer, instance)) = self.export_terms(consumer) else {
            return Vec::new();
        };
        let i = &self.instances[instance];
        match terms.afi {
            1 => self.told(&i.v4, terms, peer, limit),
            _ => self.told(&i.v6, terms, peer, limit),
        }
    }

    fn told<A: Addr>(
        &self,
        t: &Table<A>,
        terms: &ExportTerms,
        peer: u32,
        limit: usize,
    ) -> Vec<Value> {
        let wide = ExportTerms {
            four_octet_as: true, // what people read has no AS_TRANS
            ..terms.clone()
        };
        let mut rows: Vec<(Prefix<A>, Value)> = Vec::new();
        for e in t.entries.iter().filter(|e| e.flags & VACANT == 0) {
            if rows.len() == limit {
                break;
            }
            let Some((path, next_hop)) = exportable(&self.core, t, e, terms) else {
                continue;
            };
            let p = &t.paths[path as usize];
            if p.source == peer {
                continue;
            }
            let info = &self.core.infos[p.info];
            let mut block = Vec::new();
            encode_attributes(terms, info, next_hop, &mut block);
            if !fits::<A>(terms, block.len(), next_hop) {
                continue; // never told: it has no room in a message of this session
            }
            block.clear();
            encode_attributes(&wide, info, next_hop, &mut block);
            let link = if next_hop == terms.local_address {
                terms.local_link
            } else {
                0
            };
            rows.push((
                e.prefix,
                Value::Map(vec![
                    ("prefix", text(e.prefix.text())),
                    ("attributes", attributes_value(&block, next_hop, link)),
                ]),
            ));
        }
        rows.sort_by_key(|r| r.0);
        rows.into_iter().map(|r| r.1).collect()
    }
}
