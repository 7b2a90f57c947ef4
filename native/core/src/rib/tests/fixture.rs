//! Short ways to fill an engine and to look at it.

use std::net::IpAddr;

use crate::prefix::{AnyPrefix, Ip};
use crate::rib::engine::{Engine, OtherPath};
use crate::rib::export_terms::{ExportTerms, Ourselves};
use crate::rib::nexthop::{Hop, SetKind};
use crate::rib::source::{Kind, Source};
use crate::rib::value::Value;
use crate::wire::as_path_edit::PathEdit;
use crate::wire::terms::Terms;
use crate::wire::update::decode;

pub fn ip(text: &str) -> Ip {
    match text.parse().expect("an address") {
        IpAddr::V4(a) => Ip::V4(a.into()),
        IpAddr::V6(a) => Ip::V6(a.into()),
    }
}

pub fn prefix(text: &str) -> AnyPrefix {
    let (addr, len) = text.split_once('/').expect("a slash");
    AnyPrefix::from_bytes(&ip(addr).to_bytes(), len.parse().expect("a length")).expect("a prefix")
}

pub fn engine() -> Engine {
    Engine::new(0x0909_0909, 65000, [7; 16])
}

/// Of every session here.
pub fn terms() -> Terms {
    Terms {
        peer_asn: 65001,
        local_asn: 65000,
        local_router_id: 0x0909_0909,
        four_octet_as: true,
        families: vec![(1, 1, false)],
        ..Terms::default()
    }
}

/// Attributes of an announcement beside its next hop.
#[derive(Clone, Copy, Default)]
pub struct Said<'a> {
    pub as_path: &'a [u32],
    pub communities: &'a [u32],
}

impl Engine {
    pub fn source(&mut self, kind: Kind, instance: u16) -> u32 {
        let n = self.core.sources.len() as u32;
        self.add_source(Source {
            ebgp: true,
            asn: 65001,
            router_id: n,
            address: Ip::V4(0x0a00_0000 + n),
            distance: 20,
            ..Source::own(kind, instance)
        })
    }

    pub fn settled(&mut self) {
        while self.step(64) {}
    }

    pub fn connect(&mut self, source: u32, what: &str) {
        self.connected(source, what, false);
    }

    pub fn connected(&mut self, source: u32, what: &str, local: bool) {
        let instance = self.core.sources[source as usize].instance;
        let hop = Hop {
            ncp: self.core.hops.name_id("a"),
            port: self.core.hops.name_id("eth0"),
            role: u8::from(local),
            ..Hop::to(instance, Ip::None)
        };
        self.put(source, what, SetKind::Connected, hop);
    }

    pub fn blackhole(&mut self, source: u32, what: &str) {
        let instance = self.core.sources[source as usize].instance;
        self.put(
            source,
            what,
            SetKind::Blackhole,
            Hop::to(instance, Ip::None),
        );
    }

    pub fn via(&mut self, source: u32, what: &str, next_hop: &str) {
        let instance = self.core.sources[source as usize].instance;
        self.put(source, what, SetKind::Via, Hop::to(instance, ip(next_hop)));
    }

    fn put(&mut self, source: u32, what: &str, kind: SetKind, hop: Hop) {
        let path = OtherPath {
            kind,
            hops: vec![hop],
            distance: 1,
            metric: 0,
            tag: 0,
        };
        self.put_path(source, prefix(what), path);
    }

    pub fn announce(&mut self, source: u32, what: &str, next_hop: &str, said: Said<'_>) {
        let mut attributes = vec![0x40, 1, 1, 0];
        let path_len = if said.as_path.is_empty() {
            0
        } else {
            2 + 4 * said.as_path.len() as u8
        };
        attributes.extend_from_slice(&[0x40, 2, path_len]);
        if path_len > 0 {
            attributes.extend_from_slice(&[2, said.as_path.len() as u8]);
        }
        attributes.extend(said.as_path.iter().flat_map(|a| a.to_be_bytes()));
        attributes.extend_from_slice(&[0x40, 3, 4]);
        attributes.extend(ip(next_hop).to_bytes());
        if !said.communities.is_empty() {
            attributes.extend_from_slice(&[0xc0, 8, 4 * said.communities.len() as u8]);
            attributes.extend(said.communities.iter().flat_map(|c| c.to_be_bytes()));
        }
        self.update(source, &[], &attributes, &nlri(what));
    }

    pub fn withdraw(&mut self, source: u32, what: &str) {
        self.update(source, &nlri(what), &[], &[]);
    }

    fn update(&mut self, source: u32, withdrawn: &[u8], attributes: &[u8], announced: &[u8]) {
        let mut body = (withdrawn.len() as u16).to_be_bytes().to_vec();
        body.extend_from_slice(withdrawn);
        body.extend_from_slice(&(attributes.len() as u16).to_be_bytes());
        body.extend_from_slice(attributes);
        body.extend_from_slice(announced);
        let mut m = vec![0xff; 16];
        m.extend_from_slice(&(19 + body.len() as u16).to_be_bytes());
        m.push(2);
        m.extend_from_slice(&body);
        let changes = decode(&m, &terms());
        assert!(changes.error.is_none() && changes.faults.is_empty());
        self.apply(source, &changes);
    }
}

/// A peer of a group of its kind.
pub fn export(e: &mut Engine, peer: u32) -> u32 {
    export_several(e, peer, 0)
}

/// The same of peers that take so many paths of a prefix (RFC 7911).
pub fn export_several(e: &mut Engine, peer: u32, add_path: u8) -> u32 {
    let ourselves = Ourselves {
        address: ip("10.0.0.254"),
        link_local: 0,
        shared: Vec::new(),
        peer: Ip::None,
    };
    let terms = ExportTerms {
        afi: 1,
        safi: 1,
        ebgp: true,
        member: false,
        client: false,
        cluster_id: 0,
        local_asn: 65000,
        next_hop_self: false,
        next_hop_unchanged: false,
        path_edit: PathEdit::default(),
        ourselves: ourselves.shape(),
        four_octet_as: true,
        max_message: 4096,
        extended_next_hop: false,
        aigp: false,
        role: None,
        llgr: false,
        add_path,
        default_local_pref: 100,
    };
    e.export_open(peer, terms, ourselves)
}

fn nlri(what: &str) -> Vec<u8> {
    let AnyPrefix::V4(p) = prefix(what) else {
        panic!("IPv4 only");
    };
    let mut out = Vec::new();
    p.push_nlri(&mut out);
    out
}

/// One field of a row.
pub fn field<'a>(row: &'a Value, name: &str) -> &'a Value {
    match row {
        Value::Map(fields) => &fields.iter().find(|f| f.0 == name).expect("the field").1,
        other => panic!("no row: {other:?}"),
    }
}

pub fn list(v: &Value) -> &[Value] {
    match v {
        Value::List(items) => items,
        other => panic!("no list: {other:?}"),
    }
}

pub fn number(v: &Value) -> i64 {
    match v {
        Value::Int(n) => *n,
        other => panic!("no number: {other:?}"),
    }
}

pub fn words(v: &Value) -> &str {
    match v {
        Value::Text(s) => s,
        other => panic!("no text: {other:?}"),
    }
}
