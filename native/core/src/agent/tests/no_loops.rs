//! Several boxes that were told the same, whatever ports each has lost: no packet comes back to a box it has left over the fabric.
use proptest::prelude::*;

use super::super::{AgentFib, Peer};
use super::fixture::{drain, gateways, members, put};
use super::kernel::Kernel;

const BOXES: [&str; 3] = ["zero", "one", "two"];
const PORTS: [(&str, u32); 3] = [("p0", 10), ("p1", 11), ("fabric", 12)];

/// The owner and port of each member, and whether it is a backup.
type Group = Vec<(usize, usize, bool)>;

fn address(owner: usize) -> [u8; 4] {
    [10, 9, 0, owner as u8]
}

struct Router {
    boxes: Vec<(AgentFib, Kernel)>,
}

impl Router {
    fn new(group: &Group, down: &[(usize, usize)], weighted: bool) -> Self {
        let boxes = (0..BOXES.len()).map(|me| {
            let (mut fib, mut kernel) = (
                AgentFib::new(BOXES[me], 254, 201, 50, 1000),
                Kernel::default(),
            );
            fib.set_weights(true, weighted);
            for (name, ifindex) in PORTS {
                fib.set_port(name, ifindex, true);
            }
            let others = (0..BOXES.len()).filter(|other| *other != me);
            let peer = |owner| Peer {
                v4: Some(address(owner)),
                v6: None,
            };
            let peers: Vec<_> = others
                .map(|owner| (BOXES[owner].to_owned(), peer(owner)))
                .collect();
            fib.set_fabric(Some(PORTS[2].0), &peers);
            let mut packed = Vec::new();
            for (id, (owner, port, backup)) in group.iter().enumerate() {
                let gateway = [192, 0, *owner as u8, *port as u8 + 1];
                fib.put_adjacencies(&[(id as u32, BOXES[*owner], PORTS[*port].0, &gateway, 0)])
                    .unwrap();
                packed.extend(members(&[(id as u32, 1, u8::from(*backup))]));
            }
            fib.put_groups(&[(1, &[1; 16], 0, &packed)]).unwrap();
            put(&mut fib, 1, 1);
            drain(&mut fib, &mut kernel);
            for (_, port) in down.iter().filter(|(at, _)| *at == me) {
                kernel.carrier(PORTS[*port].1, false);
                fib.set_port(PORTS[*port].0, PORTS[*port].1, false);
            }
            drain(&mut fib, &mut kernel);
            (fib, kernel)
        });
        Self {
            boxes: boxes.collect(),
        }
    }

    /// The boxes that a packet at this one may go to next over the fabric.
    fn over_fabric(&self, at: usize) -> Vec<usize> {
        let kernel = &self.boxes[at].1;
        let routes = kernel.routes.values().filter_map(|route| route.group);
        let ways = routes.flat_map(|id| gateways(kernel, id));
        ways.filter(|(gateway, _)| gateway[..3] == address(0)[..3])
            .map(|(gateway, _)| usize::from(gateway[3]))
            .collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_sent_over_the_fabric_never_comes_back(
        group in prop::collection::vec((0usize..3, 0usize..2, any::<bool>()), 1..5),
        down in prop::collection::vec((0usize..3, 0usize..3), 0..5),
        weighted in any::<bool>(),
    ) {
        let router = Router::new(&group, &down, weighted);
        for first in 0..BOXES.len() {
            let mut ways = vec![vec![first]];
            while let Some(way) = ways.pop() {
                for next in router.over_fabric(*way.last().unwrap()) {
                    prop_assert!(!way.contains(&next), "{way:?} and back to {next}");
                    ways.push([&way[..], &[next]].concat());
                }
            }
        }
    }
}
