//! From a peer's UPDATEs through the RIB to other peers' UPDATEs: what is told is well-formed whatever came in, it is as much as the
//! tables say, and when the peer is gone all of it is withdrawn.
#![no_main]

use libfuzzer_sys::fuzz_target;
use routing_core::prefix::{AnyPrefix, Ip};
use routing_core::rib::engine::{Engine, OtherPath};
use routing_core::rib::export_terms::{ExportTerms, Ourselves};
use routing_core::rib::nexthop::{Hop, SetKind};
use routing_core::rib::source::{Kind, Source};
use routing_core::wire::as_path_edit::{PathEdit, PrivateAs};
use routing_core::wire::refusal::Demands;
use routing_core::wire::role::Role;
use routing_core::wire::terms::Terms;
use routing_core::wire::update::{decode, WITHDRAW};
use routing_fuzz::{terms, updates, LOCAL_ASN};
use std::collections::HashSet;

const LISTENER: u32 = 65003;
/// Steps of deferred work that a single input can ask for.
const STEPS: usize = 10_000;

fn peer(e: &mut Engine, asn: u32, address: u32) -> u32 {
    e.add_source(Source {
        ebgp: asn != LOCAL_ASN,
        asn,
        router_id: address,
        address: Ip::V4(address),
        ..Source::own(Kind::Bgp, 0)
    })
}

fn settled(e: &mut Engine) {
    assert!((0..STEPS).any(|_| !e.step(64)), "it does not settle");
}

/// What a listener was told and not told to forget.
struct Listener {
    consumer: u32,
    terms: Terms,
    known: HashSet<String>,
}

impl Listener {
    fn open(e: &mut Engine, afi: u16, kind: u8) -> Listener {
        let asn = if kind & 1 == 0 { LISTENER } else { LOCAL_ASN };
        let source = peer(e, asn, 0x0a00_0100 + u32::from(kind));
        let six = afi == 2 || kind & 8 != 0;
        let ourselves = Ourselves {
            address: if six {
                Ip::V6(0x2001_0db8 << 96 | 1)
            } else {
                Ip::V4(0x0a00_00fe)
            },
            link_local: if six && kind & 4 != 0 {
                0xfe80 << 112 | 1
            } else {
                0
            },
            shared: AnyPrefix::from_bytes(&[10, 0, 0, 0], 8)
                .into_iter()
                .collect(),
            peer: Ip::V4(0x0a00_0100),
        };
        let four_octet_as = kind & 2 == 0;
        let told = ExportTerms {
            afi,
            safi: 1,
            ebgp: asn != LOCAL_ASN,
            local_asn: LOCAL_ASN,
            next_hop_unchanged: kind & 16 != 0,
            path_edit: PathEdit::new(
                if kind & 4 == 0 {
                    PrivateAs::Removed
                } else {
                    PrivateAs::Replaced
                },
                kind & 8 == 0,
                LISTENER,
            ),
            ourselves: ourselves.shape(),
            four_octet_as,
            max_message: if kind & 16 == 0 { 4096 } else { 65535 },
            extended_next_hop: six,
            aigp: kind & 8 != 0,
            role: Role::of(kind % 7),
            default_local_pref: 100,
            ..ExportTerms::default()
        };
        Listener {
            consumer: e.export_open(source, told, ourselves),
            terms: Terms {
                peer_asn: LOCAL_ASN,
                local_asn: asn,
                four_octet_as,
                families: vec![(1, 1, false), (2, 1, false)],
                aigp: true,
                extended_next_hop: vec![(1, 1)],
                // Loops are the listener's to find, and not at issue here
                demands: Demands {
                    own_as: usize::MAX,
                    ..Demands::default()
                },
                ..Terms::default()
            },
            known: HashSet::new(),
        }
    }

    fn read(&mut self, e: &mut Engine) {
        let mut reads = 0;
        while let Some((bytes, messages)) = e.export_read(self.consumer, 64) {
            reads += 1;
            assert!(reads < STEPS, "it tells without end");
            let changes = decode(&bytes, &self.terms);
            assert!(changes.error.is_none(), "{:?}", changes.error);
            assert!(changes.faults.is_empty(), "{:?}", changes.faults);
            assert_eq!(changes.updates as usize, messages);
            let four = changes.v4.iter().map(|c| (c.prefix.text(), c.attrs));
            let six = changes.v6.iter().map(|c| (c.prefix.text(), c.attrs));
            for (prefix, attrs) in four.chain(six) {
                if attrs == WITHDRAW {
                    self.known.remove(&prefix);
                } else {
                    self.known.insert(prefix);
                }
            }
        }
        assert_eq!(self.known.len(), e.export_count(self.consumer));
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&[kinds], rest)) = data.split_first_chunk() else {
        return;
    };
    let Some((terms, rest)) = terms(rest) else {
        return;
    };
    let mut e = Engine::new(0x0a00_0001, LOCAL_ASN, [0; 16]);
    let connected = e.add_source(Source::own(Kind::Connected, 0));
    for all in [&[0; 4][..], &[0; 16]] {
        let everything = AnyPrefix::from_bytes(all, 1).into_iter();
        let more = AnyPrefix::from_bytes(&[&[0x80], &all[1..]].concat(), 1);
        for prefix in everything.chain(more) {
            let (ncp, port) = (e.core.hops.name_id("a"), e.core.hops.name_id("eth0"));
            let hop = Hop {
                ncp,
                port,
                ..Hop::to(0, Ip::None)
            };
            let (kind, hops) = (SetKind::Connected, vec![hop]);
            e.put_path(
                connected,
                prefix,
                OtherPath {
                    kind,
                    hops,
                    distance: 0,
                    metric: 0,
                    tag: 0,
                },
            );
        }
    }
    let giver = peer(&mut e, terms.peer_asn, 0x0a00_0002);
    let early = Listener::open(&mut e, 1, kinds);
    let mut listeners = vec![early, Listener::open(&mut e, 2, kinds)];
    let bytes = updates(rest);
    e.apply(giver, &decode(&bytes, &terms));
    settled(&mut e);
    listeners.push(Listener::open(&mut e, 1, kinds ^ 0x1f));
    listeners.iter_mut().for_each(|l| l.read(&mut e));
    e.remove_source(giver);
    settled(&mut e);
    for l in &mut listeners {
        l.read(&mut e);
        assert!(l.known.is_empty());
    }
});
