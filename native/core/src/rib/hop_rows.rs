//! Next hops, what they resolve to, and groups, as people and tests read them.

use super::core::Core;
use super::engine::Engine;
use super::nexthop::{Adjacency, AdjacencyKind, Hop, Reason, SetKind};
use super::value::{int, ip, prefix_text, text, text_or_null, Value};

type Row = Vec<(&'static str, Value)>;

impl Core {
    fn adjacency_value(&self, id: u32) -> Row {
        self.adjacency_row(int(id), &self.hops.adjacencies[id])
    }

    fn adjacency_row(&self, id: Value, a: &Adjacency) -> Row {
        let kind = match a.kind {
            AdjacencyKind::Ip => "ip",
            AdjacencyKind::Drop => "drop",
            AdjacencyKind::Local => "local",
            AdjacencyKind::Unreachable => "unreachable",
        };
        vec![
            ("id", id),
            ("ncp", text_or_null(self.hops.name(a.ncp))),
            ("port", text_or_null(self.hops.name(a.port))),
            ("gateway", ip(a.gateway)),
            ("kind", text(kind)),
        ]
    }

    fn weighted_value(&self, adjacencies: &[(u32, u16)]) -> Value {
        let rows = adjacencies.iter().map(|&(a, weight)| {
            let mut row = self.adjacency_value(a);
            row.push(("weight", int(weight)));
            Value::Map(row)
        });
        Value::List(rows.collect())
    }

    /// What a group comes to now: rows of adjacencies with weight and role.
    pub(super) fn members_value(&self, group: u32, id: &'static str) -> Vec<Value> {
        let members = self.hops.groups[group].members.iter();
        let rows = members.map(|m| {
            let mut row = self.adjacency_value(m.adjacency);
            row[0].0 = id;
            row.push(("weight", int(m.weight)));
            row.push(("role", int(m.role)));
            Value::Map(row)
        });
        rows.collect()
    }

    pub(super) fn group_value(&self, id: u32) -> Value {
        let group = &self.hops.groups[id];
        let key = group.key.iter().map(|b| format!("{b:02x}"));
        let hops = group.shape.hops().map(|(h, givers)| {
            let givers = givers.iter().map(|&g| ip(self.hops.givers[g].addr));
            Value::Map(vec![
                ("address", ip(h.addr)),
                ("instance", int(h.instance)),
                ("ncp", text_or_null(self.hops.name(h.ncp))),
                ("port", text_or_null(self.hops.name(h.port))),
                ("weight", int(h.weight)),
                ("role", int(h.role)),
                ("givers", Value::List(givers.collect())),
            ])
        });
        Value::Map(vec![
            ("id", int(id)),
            ("key", text(key.collect::<String>())),
            ("kind", int(self.hops.group_kind(id) as u8)),
            ("hops", Value::List(hops.collect())),
            ("members", Value::List(self.members_value(id, "adjacency"))),
            ("routes", int(group.routes)),
            ("resolved", Value::Bool(!group.members.is_empty())),
        ])
    }

    /// The next hops of a set, and what each resolves to.
    pub(super) fn next_hops_value(&self, set: u32) -> Value {
        let key = &self.hops.sets[set as usize].key;
        let rows = key.hops.iter().map(|h| {
            let mut row = vec![
                ("address", ip(h.addr)),
                ("ncp", text_or_null(self.hops.name(h.ncp))),
                ("port", text_or_null(self.hops.name(h.port))),
                ("weight", int(h.weight)),
            ];
            if key.kind == SetKind::Via {
                row.extend(self.resolution_row(h.tracker));
            } else {
                let end = Adjacency::terminal(key.kind, h);
                let id = self.hops.adjacencies.find(&end);
                let mut only = self.adjacency_row(id.map_or(Value::Null, int), &end);
                only.push(("weight", int(1)));
                row.extend([
                    ("resolved", Value::Bool(true)),
                    ("via", Value::Null),
                    ("metric", int(0)),
                    ("adjacencies", Value::List(vec![Value::Map(only)])),
                ]);
            }
            Value::Map(row)
        });
        Value::List(rows.collect())
    }

    fn resolution_row(&self, tracker: u32) -> Row {
        let t = &self.hops.trackers[tracker as usize];
        let via = t.via.as_ref().map(|(p, _)| text(prefix_text(p)));
        vec![
            ("resolved", Value::Bool(t.resolution.resolved())),
            ("via", via.unwrap_or(Value::Null)),
            ("metric", int(t.resolution.metric)),
            (
                "adjacencies",
                self.weighted_value(&t.resolution.adjacencies),
            ),
        ]
    }

    pub(super) fn why_unusable(&self, set: u32) -> String {
        let hops = self.hops.sets[set as usize].key.hops.iter();
        let why = hops.filter_map(|h| {
            let t = &self.hops.trackers[h.tracker as usize];
            let reason = match t.reason {
                Reason::PortDown => format!("port {} down", self.hops.name(h.port)),
                other => other.text().to_owned(),
            };
            (!t.resolution.resolved()).then(|| format!("{} ({reason})", self.hop_text(h)))
        });
        let why: Vec<String> = why.collect();
        format!("next hop unresolved: {}", why.join(", "))
    }

    fn hop_text(&self, h: &Hop) -> String {
        match h.addr.text() {
            none if none.is_empty() => self.hops.name(h.port).to_owned(),
            address => address,
        }
    }
}

impl Engine {
    /// Every next hop that is looked up.
    pub fn next_hop_rows(&self) -> Vec<Value> {
        let core = &self.core;
        let trackers = (0..).zip(&core.hops.trackers);
        let tracked = trackers.filter(|(_, t)| !t.vacant && !t.direct());
        let rows = tracked.map(|(id, t)| {
            let protocol = t.via.as_ref().map(|(_, kind)| text(kind.name()));
            let reason = if t.resolution.resolved() {
                ""
            } else {
                t.reason.text()
            };
            let mut row = vec![
                ("address", ip(t.target.addr)),
                ("instance", int(t.target.instance)),
                ("protocol", protocol.unwrap_or(Value::Null)),
                ("reason", text(reason)),
                ("sets", int(t.groups.len() as i64)),
                ("changed", int(t.changed)),
                ("change", text(t.change.clone())),
            ];
            row.extend(core.resolution_row(id));
            Value::Map(row)
        });
        rows.collect()
    }

    /// Groups that routes use.
    pub fn group_rows(&self) -> Vec<Value> {
        let groups = self.core.hops.groups.iter();
        groups.map(|(id, _)| self.core.group_value(id)).collect()
    }
}
