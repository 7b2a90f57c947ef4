//! Routes, next hops and groups as plain values: what `show` prints, `explain`, and a monitor is told.

use super::core::Core;
use super::infos::Info;
use super::nexthop::AdjacencyKind;
use super::select::{choose, Choice, Step, STEP_NAMES};
use super::source::Kind;
use super::table::{Entry, Path, Table};
use super::value::{attributes_value, int, ip, prefix_text, text, text_or_null, Value};
use super::NONE;
use crate::prefix::{Addr, Ip};

/// How the paths of one prefix stand to each other.
pub(super) struct Comparison {
    choice: Option<Choice>,
    lost: Vec<(u32, Step)>,
}

impl Comparison {
    fn is_best(&self, path: u32) -> bool {
        self.choice.as_ref().is_some_and(|c| c.best == path)
    }

    fn step(&self) -> &'static str {
        self.choice.as_ref().map_or("none", |c| c.step.name())
    }

    fn role(&self, path: u32) -> &'static str {
        match &self.choice {
            Some(c) if c.best == path => "best",
            Some(c) if c.rest.contains(&path) => "multipath",
            Some(c) if c.backup == Some(path) => "backup",
            _ => "",
        }
    }

    /// The step at which a path that is not the best one went, if it took part at all.
    fn went_at(&self, path: u32) -> Option<&'static str> {
        let lost = self.lost.iter().find(|l| l.0 == path)?;
        Some(lost.1.name())
    }
}

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

    /// What a group leads to, each adjacency's number under this name.
    fn members_value(&self, group: u32, number: &'static str) -> Vec<Value> {
        let members = self.hops.sets[group as usize].members.iter();
        members
            .map(|m| {
                let mut row = self.adjacency_value(m.adjacency);
                row[0].0 = number;
                row.push(("weight", int(m.weight)));
                row.push(("role", int(m.role)));
                Value::Map(row)
            })
            .collect()
    }

    pub(super) fn group_value(&self, id: u32) -> Value {
        let set = &self.hops.sets[id as usize];
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
            ("members", Value::List(self.members_value(id, "adjacency"))),
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

    pub(super) fn comparison<A: Addr>(&self, t: &Table<A>, idx: u32) -> Comparison {
        let mut candidates: Vec<_> = self.usable(t, idx, |s| self.standing(s)).collect();
        let mut lost = Vec::new();
        let choice = choose(&mut candidates, &t.options, &mut |p, s| lost.push((p, s)));
        Comparison { choice, lost }
    }

    /// Why a path is best, lost, or never took part.
    fn reason(&self, c: &Comparison, path: u32, info: &Info) -> String {
        if c.is_best(path) {
            return c.step().to_owned();
        }
        c.went_at(path)
            .map_or_else(|| self.why_unusable(info.next_hops), str::to_owned)
    }

    fn leaked<A: Addr>(&self, t: &Table<A>, p: &Path) -> bool {
        self.sources[p.source as usize].instance != t.instance()
    }

    /// One prefix with everything about it; `None` where it has no path.
    pub(super) fn describe<A: Addr>(&self, t: &Table<A>, idx: u32) -> Option<Value> {
        let e = &t.entries[idx as usize];
        let c = self.comparison(t, idx);
        let mut paths: Vec<((u32, u32), Value)> = Vec::new();
        for (at, p) in t.path_list(idx) {
            let s = &self.sources[p.source as usize];
            if !s.up {
                continue;
            }
            let info = &self.infos[p.info];
            let usable = c.is_best(at) || c.went_at(at).is_some();
            let row = Value::Map(vec![
                ("source", int(p.source)),
                ("protocol", text(info.kind.name())),
                ("path_id", int(p.path_id)),
                ("distance", int(info.distance.unwrap_or(s.distance))),
                ("metric", int(info.metric)),
                ("tag", int(info.tag)),
                ("since", int(p.since)),
                ("weight", int(s.weight)),
                ("best", Value::Bool(c.is_best(at))),
                ("role", text(c.role(at))),
                ("leaked", Value::Bool(self.leaked(t, p))),
                ("usable", Value::Bool(usable)),
                ("reason", text(self.reason(&c, at, info))),
                ("next_hops", self.next_hops_value(info.next_hops)),
                ("attributes", self.info_attributes(info)),
            ]);
            paths.push(((p.source, p.path_id), row));
        }
        if paths.is_empty() {
            return None; // an entry that only a feed or the sweep still remembers
        }
        paths.sort_by_key(|p| p.0);
        let group = if e.group == NONE {
            Value::Null
        } else {
            self.group_value(e.group)
        };
        Some(Value::Map(vec![
            ("prefix", text(e.prefix.text())),
            ("instance", int(t.instance())),
            ("table", int(t.id)),
            ("step", text(c.step())),
            (
                "paths",
                Value::List(paths.into_iter().map(|p| p.1).collect()),
            ),
            ("group", group),
        ]))
    }

    /// The best route of an entry, which has one.
    pub(super) fn best_row<A: Addr>(
        &self,
        t: &Table<A>,
        e: &Entry<A>,
    ) -> Vec<(&'static str, Value)> {
        let step = STEP_NAMES[usize::from(e.step)];
        self.route_row(t, e, e.head, "best", text(step))
    }

    /// A path of an entry as one line among others.
    pub(super) fn path_row<A: Addr>(
        &self,
        t: &Table<A>,
        e: &Entry<A>,
        path: u32,
        c: &Comparison,
    ) -> Value {
        let info = &self.infos[t.paths[path as usize].info];
        let reason = text(self.reason(c, path, info));
        Value::Map(self.route_row(t, e, path, c.role(path), reason))
    }

    fn route_row<A: Addr>(
        &self,
        t: &Table<A>,
        e: &Entry<A>,
        path: u32,
        role: &str,
        step: Value,
    ) -> Vec<(&'static str, Value)> {
        let p = &t.paths[path as usize];
        let s = &self.sources[p.source as usize];
        let info = &self.infos[p.info];
        let group = if role == "best" { e.group } else { NONE };
        let (id, members) = if group == NONE {
            (Value::Null, Vec::new())
        } else {
            (int(group), self.members_value(group, "id"))
        };
        vec![
            ("prefix", text(e.prefix.text())),
            ("instance", int(t.instance())),
            ("protocol", text(info.kind.name())),
            ("source", int(p.source)),
            ("path_id", int(p.path_id)),
            ("distance", int(info.distance.unwrap_or(s.distance))),
            ("metric", int(info.metric)),
            ("tag", int(info.tag)),
            ("since", int(p.since)),
            ("best", Value::Bool(role == "best")),
            ("role", text(role)),
            ("leaked", Value::Bool(self.leaked(t, p))),
            ("step", step),
            ("next_hops", Value::List(members)),
            ("group", id),
            ("attributes", self.info_attributes(info)),
        ]
    }
}
