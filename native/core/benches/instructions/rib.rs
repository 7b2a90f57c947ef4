//! From octets that a peer sent to octets that other peers and the boxes are sent.

use routing_core::prefix::{AnyPrefix, Ip};
use routing_core::rib::engine::{Engine, OtherPath};
use routing_core::rib::export_terms::{ExportTerms, Ourselves};
use routing_core::rib::fib::FibDelta;
use routing_core::rib::instance::Family;
use routing_core::rib::nexthop::{Hop, SetKind};
use routing_core::rib::source::{Kind, Source};
use routing_core::wire::framer::{Framer, Item};
use routing_core::wire::terms::Terms;
use routing_core::wire::update::{decode, Changes};

use crate::table::{Neighbor, Table};
use crate::Meter;

const OUR_ASN: u32 = 65001;
/// As many routes as one call of the engine is asked for.
const CHUNK: usize = 8192;
/// Members of a group read one stretch after the other at most so far apart.
const STRETCHES: usize = 4;

fn address(afi: u16, network: u8, host: u8) -> Ip {
    match afi {
        1 => Ip::V4(u32::from_be_bytes([10, 9, network, host])),
        _ => Ip::V6(0x2001_0db8_0009 << 80 | u128::from(network) << 64 | u128::from(host)),
    }
}

fn neighbor(afi: u16, number: u8, prepends: fn(usize) -> usize) -> Neighbor {
    Neighbor {
        asn: 65100 + u32::from(number),
        next_hop: address(afi, number, 2),
        prepends,
    }
}

fn changes(runs: &[Vec<u8>], peer_asn: u32) -> Vec<Changes> {
    let terms = Terms {
        peer_asn,
        local_asn: OUR_ASN,
        local_router_id: 1,
        four_octet_as: true,
        families: vec![(1, 1, false), (2, 1, false)],
        ..Terms::default()
    };
    let read = |run: &Vec<u8>| decode(run, &terms);
    let all: Vec<Changes> = runs.iter().map(read).collect();
    let sound = |c: &Changes| c.error.is_none() && c.faults.is_empty();
    assert!(all.iter().all(sound));
    all
}

/// An engine with a subnet for each of some peers, and with readers that have read what there is.
pub struct Rib {
    pub engine: Engine,
    afi: u16,
    statics: u32,
    peers: Vec<u32>,
    told: u32,
    box_: u32,
}

impl Rib {
    pub fn new(afi: u16, peers: u8) -> Rib {
        let mut engine = Engine::new(1, OUR_ASN, [7; 16]);
        let connected = engine.add_source(Source::own(Kind::Connected, 0));
        let statics = engine.add_source(Source::own(Kind::Static, 0));
        for network in 0..peers {
            let length = if afi == 1 { 24 } else { 64 };
            let subnet = AnyPrefix::from_bytes(&address(afi, network, 0).to_bytes(), length);
            let hops = &mut engine.core.hops;
            let (ncp, port) = (hops.name_id("ncp1"), hops.name_id("eth0"));
            let hop = Hop {
                ncp,
                port,
                ..Hop::to(0, Ip::None)
            };
            let path = other_path(SetKind::Connected, hop);
            engine.put_path(connected, subnet.expect("a prefix"), path);
        }
        let mut rib = Rib {
            engine,
            afi,
            statics,
            peers: Vec::new(),
            told: 0,
            box_: 0,
        };
        rib.peers = (0..peers).map(|n| rib.peer(n)).collect();
        rib.told = rib.listener(100, false);
        rib.box_ = rib.engine.fib_open();
        rib.readers_read();
        rib
    }

    fn peer(&mut self, number: u8) -> u32 {
        self.engine.add_source(Source {
            ebgp: true,
            asn: 65100 + u32::from(number),
            router_id: u32::from(number) + 10,
            address: address(self.afi, number, 2),
            distance: 20,
            ..Source::own(Kind::Bgp, 0)
        })
    }

    /// A peer that is told, of a group of its own or of one with the others.
    fn listener(&mut self, number: u8, of_its_own: bool) -> u32 {
        let peer = self.peer(number);
        let ourselves = Ourselves {
            address: address(self.afi, number, 1),
            link_local: 0,
            shared: Vec::new(),
            peer: address(self.afi, number, 2),
        };
        let terms = ExportTerms {
            afi: self.afi,
            safi: 1,
            ebgp: true,
            local_asn: OUR_ASN,
            next_hop_self: true,
            ourselves: ourselves.shape(),
            four_octet_as: true,
            max_message: 4096,
            llgr: of_its_own,
            default_local_pref: 100,
            ..ExportTerms::default()
        };
        self.engine.export_open(peer, terms, ourselves)
    }

    fn apply(&mut self, peer: usize, said: &[Changes]) {
        for c in said {
            assert_eq!(self.engine.apply(self.peers[peer], c), 0);
        }
    }

    /// One peer says the whole table.
    pub fn fill(&mut self, table: &Table) {
        let neighbor = neighbor(table.afi, 0, |_| 0);
        let said = changes(&table.announced(&neighbor), neighbor.asn);
        self.apply(0, &said);
    }

    fn read(&mut self, consumer: u32) -> usize {
        let mut octets = 0;
        while let Some((bytes, _)) = self.engine.export_read(consumer, CHUNK) {
            octets += bytes.len();
        }
        octets
    }

    /// What the boxes are told until they have everything.
    pub fn feed(&mut self) -> Vec<FibDelta> {
        std::iter::from_fn(|| self.engine.fib_read(self.box_, CHUNK)).collect()
    }

    fn readers_read(&mut self) {
        self.read(self.told);
        self.feed();
        self.rest();
    }

    /// What reading left to do: logs are trimmed.
    fn rest(&mut self) {
        while self.engine.step(4096) {}
    }

    fn paths(&self) -> usize {
        let i = &self.engine.instances[0];
        let (v4, v6) = (i.v4.path_count(), i.v6.path_count());
        v4 + v6 - self.peers.len() // their subnets
    }

    /// `n` peers say the whole table, and who has the shortest path is another one for each set.
    fn said_by(table: &Table, n: u8) -> (Rib, Vec<Changes>) {
        const PREPENDS: [fn(usize) -> usize; 4] =
            [|s| s % 4, |s| (s + 1) % 4, |s| (s + 2) % 4, |s| (s + 3) % 4];
        let mut rib = Rib::new(table.afi, n);
        let mut last = Vec::new();
        for number in 0..n {
            let neighbor = neighbor(table.afi, number, PREPENDS[usize::from(number) % 4]);
            rib.apply(usize::from(number).saturating_sub(1), &last);
            last = changes(&table.announced(&neighbor), neighbor.asn);
        }
        rib.readers_read();
        (rib, last)
    }
}

fn other_path(kind: SetKind, hop: Hop) -> OtherPath {
    OtherPath {
        kind,
        hops: vec![hop],
        distance: 1,
        metric: 0,
        tag: 0,
    }
}

pub fn frame(meter: &Meter<'_>, table: &Table) {
    let runs = table.announced(&neighbor(table.afi, 0, |_| 0));
    let mut framer = Framer::new(4096);
    let framed = meter.count(table.len, || {
        let feed = |run: &Vec<u8>| framer.feed(run);
        runs.iter().map(feed).collect::<Vec<_>>()
    });
    for (f, run) in framed.iter().zip(&runs) {
        let whole = |i: &Item| matches!(i, Item::Updates { bytes, .. } if bytes == run);
        assert!(f.items.len() == 1 && whole(&f.items[0]));
    }
}

pub fn decode_runs(meter: &Meter<'_>, table: &Table) {
    let neighbor = neighbor(table.afi, 0, |_| 0);
    let runs = table.announced(&neighbor);
    let said = meter.count(table.len, || changes(&runs, neighbor.asn));
    let count = |c: &Changes| c.v4.len() + c.v6.len();
    assert_eq!(said.iter().map(count).sum::<usize>(), table.len);
}

pub fn insert_new(meter: &Meter<'_>, table: &Table) {
    let neighbor = neighbor(table.afi, 0, |_| 0);
    let said = changes(&table.announced(&neighbor), neighbor.asn);
    let mut rib = Rib::new(table.afi, 1);
    meter.count(table.len, || rib.apply(0, &said));
    assert_eq!(rib.paths(), table.len);
}

/// Of a path that is no better.
pub fn insert_second(meter: &Meter<'_>, table: &Table) {
    let neighbor = neighbor(table.afi, 1, |_| 1);
    let said = changes(&table.announced(&neighbor), neighbor.asn);
    let mut rib = Rib::new(table.afi, 2);
    rib.fill(table);
    rib.readers_read();
    meter.count(table.len, || rib.apply(1, &said));
    assert_eq!(rib.paths(), 2 * table.len);
}

pub fn insert_tenth(meter: &Meter<'_>, table: &Table) {
    let (mut rib, said) = Rib::said_by(table, 10);
    assert_eq!(rib.paths(), 9 * table.len);
    meter.count(table.len, || rib.apply(9, &said));
    assert_eq!(rib.paths(), 10 * table.len);
}

pub fn insert_again(meter: &Meter<'_>, table: &Table) {
    let neighbor = neighbor(table.afi, 0, |_| 0);
    let said = changes(&table.announced(&neighbor), neighbor.asn);
    let mut rib = Rib::new(table.afi, 1);
    rib.apply(0, &said);
    rib.readers_read();
    meter.count(table.len, || rib.apply(0, &said));
    assert_eq!(rib.paths(), table.len);
}

pub fn withdraw(meter: &Meter<'_>, table: &Table) {
    let said = changes(&table.withdrawn(), 65100);
    let mut rib = Rib::new(table.afi, 1);
    rib.fill(table);
    rib.readers_read();
    meter.count(table.len, || rib.apply(0, &said));
    assert_eq!(rib.paths(), 0);
}

pub fn select_of_ten(meter: &Meter<'_>, table: &Table) {
    fn all<A: Family>(meter: &Meter<'_>, e: &mut Engine, len: usize) {
        let t = A::table_mut(&mut e.instances[0]);
        meter.count(len, || {
            for idx in 0..t.entries.len() as u32 {
                e.core.reselect(t, idx, false);
            }
        });
    }
    let (mut rib, last) = Rib::said_by(table, 10);
    rib.apply(9, &last);
    match table.afi {
        1 => all::<u32>(meter, &mut rib.engine, table.len),
        _ => all::<u128>(meter, &mut rib.engine, table.len),
    }
}

pub fn lose_the_best(meter: &Meter<'_>, table: &Table) {
    let neighbor = neighbor(table.afi, 1, |_| 1);
    let said = changes(&table.announced(&neighbor), neighbor.asn);
    let mut rib = Rib::new(table.afi, 2);
    rib.fill(table);
    rib.apply(1, &said);
    rib.readers_read();
    meter.count(table.len, || {
        rib.engine.remove_source(rib.peers[0]);
        while rib.engine.step(4096) {}
    });
    assert_eq!(rib.paths(), table.len);
}

/// Below the whole table, to and fro: the cost of a change, whatever the table's size.
pub fn move_next_hop(meter: &Meter<'_>, table: &Table) {
    const MOVES: usize = 100;
    let mut rib = Rib::new(table.afi, 2);
    rib.fill(table);
    rib.readers_read();
    let hop = address(table.afi, 0, 2).to_bytes();
    let host = AnyPrefix::from_bytes(&hop, 8 * hop.len() as u8).expect("a prefix");
    let via = address(table.afi, 1, 2);
    let told = meter.count(MOVES, || {
        let mut told = 0;
        for n in 0..MOVES {
            if n % 2 == 0 {
                let path = other_path(SetKind::Via, Hop::to(0, via));
                rib.engine.put_path(rib.statics, host, path);
            } else {
                rib.engine.delete_path(rib.statics, host);
            }
            while rib.engine.step(4096) {}
            told += rib.feed().iter().map(|d| d.groups.len()).sum::<usize>();
        }
        told
    });
    assert!(told >= MOVES);
}

pub fn export_log(meter: &Meter<'_>, table: &Table) {
    let mut rib = Rib::new(table.afi, 1);
    rib.fill(table);
    let octets = meter.count(table.len, || rib.read(rib.told));
    assert!(octets > table.len * 4);
}

/// To a peer that comes when the table is there.
pub fn export_table(meter: &Meter<'_>, table: &Table) {
    let mut rib = Rib::new(table.afi, 1);
    rib.fill(table);
    rib.readers_read();
    let late = rib.listener(101, true);
    let octets = meter.count(table.len, || rib.read(late));
    assert!(octets > table.len * 4);
}

/// To a peer whose group was told just before.
pub fn export_shared(meter: &Meter<'_>, table: &Table) {
    let mut rib = Rib::new(table.afi, 1);
    let second = rib.listener(101, false);
    rib.read(second);
    rib.fill(table);
    let mut left = table.len;
    while left > 0 {
        for _ in 0..STRETCHES {
            rib.engine.export_read(rib.told, CHUNK);
        }
        let prefixes = left.min(STRETCHES * CHUNK);
        left -= prefixes;
        let octets = meter.count(prefixes, || {
            let mut octets = 0;
            for _ in 0..STRETCHES {
                octets += rib
                    .engine
                    .export_read(second, CHUNK)
                    .map_or(0, |r| r.0.len());
            }
            octets
        });
        assert!(octets > prefixes * 4);
    }
}

pub fn columns(meter: &Meter<'_>, table: &Table) {
    let mut rib = Rib::new(table.afi, 1);
    rib.fill(table);
    let told = meter.count(table.len, || {
        let told = rib.feed();
        rib.rest();
        told
    });
    let routes: usize = told.iter().map(|d| d.count).sum();
    assert_eq!(routes, table.len);
}
