//! Routes, next hops and groups as plain values: what `show` prints, `explain`, and a monitor is told.

use super::choice::{explain, Choice};
use super::core::Core;
use super::infos::Info;
use super::select::{Step, STEP_NAMES};
use super::source::Kind;
use super::table::{Entry, Path, Table, PENDING};
use super::value::{attributes_value, int, text, Value};
use super::NONE;
use crate::prefix::{Addr, Ip};
use crate::wire::next_hop::NextHop;

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
    fn info_attributes(&self, info: &Info) -> Value {
        if info.kind != Kind::Bgp {
            return Value::Null;
        }
        let hops = &self.hops.sets[info.next_hops as usize].key.hops;
        let told = match info.told() {
            NextHop { link_local: 0, .. } => NextHop {
                ip: hops.first().map_or(Ip::None, |h| h.addr),
                link_local: 0,
            },
            both => both,
        };
        attributes_value(&info.attributes, told.ip, told.link_local)
    }

    pub(super) fn comparison<A: Addr>(&self, t: &Table<A>, idx: u32) -> Comparison {
        let mut candidates: Vec<_> = self.usable(t, idx, |s| self.standing(s)).collect();
        let mut lost = Vec::new();
        let choice = explain(&mut candidates, &t.options, &mut |p, s| lost.push((p, s)));
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
            if !self.lives(t, at, p) {
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
                ("stale", Value::Bool(self.is_stale(t, at, p))),
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
        let forwarded = e.group != NONE;
        let group = if forwarded {
            self.group_value(e.group)
        } else {
            Value::Null
        };
        // As `withheld` has it, whoever the peer is
        let kind = || self.infos[t.paths[e.head as usize].info].kind;
        let waits = forwarded && e.flags & PENDING != 0 && kind() != Kind::Connected;
        Some(Value::Map(vec![
            ("prefix", text(e.prefix.text())),
            ("instance", int(t.instance())),
            ("table", int(t.id)),
            ("step", text(c.step())),
            ("waits", Value::Bool(waits)),
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
            ("stale", Value::Bool(self.is_stale(t, path, p))),
            ("step", step),
            ("next_hops", Value::List(members)),
            ("group", id),
            ("attributes", self.info_attributes(info)),
        ]
    }
}
