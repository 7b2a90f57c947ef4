//! What the kernel should hold for a group's routes, computed from scratch and without thought of speed.
use std::collections::BTreeMap;

use super::kernel::Single;
use super::world::{Adjacency, World, FABRIC, PORTS};

const ONLINK: u32 = 4;

#[derive(PartialEq, Eq, Debug)]
pub enum Expected {
    Unreachable,
    Hops(BTreeMap<Single, u32>),
}

pub fn v6_of(owner: usize) -> [u8; 16] {
    let mut address = [0; 16];
    (address[0], address[15]) = (0xfd, owner as u8);
    address
}

/// Only the proportion counts.
pub fn reduced(mut hops: BTreeMap<Single, u32>) -> BTreeMap<Single, u32> {
    let divisor = hops.values().copied().fold(0, gcd).max(1);
    hops.values_mut().for_each(|weight| *weight /= divisor);
    hops
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        gcd(b, a % b)
    }
}

impl World {
    fn up(&self, port: usize) -> bool {
        !self.kernel.down.contains(&PORTS[port].1)
    }

    /// What one member becomes for one family, if anything; `mine`: the group has members of this box.
    fn naive_hop(&self, a: &Adjacency, mine: bool, v6: bool) -> Option<Single> {
        if a.owner == 0 {
            let fits = !v6 || a.gateway.len() != 4;
            let family = match a.gateway.len() {
                4 => 2,
                16 => 10,
                _ => {
                    if v6 {
                        10
                    } else {
                        2
                    }
                }
            };
            let flags = if a.gateway.is_empty() { 0 } else { ONLINK };
            let single = Single {
                family,
                gateway: a.gateway.clone(),
                ifindex: PORTS[a.port].1,
                flags,
            };
            return (a.kind == 0 && fits && self.up(a.port)).then_some(single);
        }
        let (present, v4_address, v6_address) = self.peers;
        if mine || matches!(a.kind, 1 | 3) || !self.up(FABRIC) || (a.owner == 2 && !present) {
            return None;
        }
        let ifindex = PORTS[FABRIC].1;
        if v4_address && !v6 {
            return Some(Single {
                family: 2,
                gateway: vec![10, 9, 0, a.owner as u8],
                ifindex,
                flags: ONLINK,
            });
        }
        v6_address.then(|| Single {
            family: 10,
            gateway: v6_of(a.owner).to_vec(),
            ifindex,
            flags: ONLINK,
        })
    }

    pub fn naive(&self, key: u8, v6: bool) -> Option<Expected> {
        let content = &self.contents[&key];
        let kinds: Vec<u8> = content
            .members
            .iter()
            .map(|m| self.slots[m.0].kind)
            .collect();
        let barren = !kinds.is_empty() && kinds.iter().all(|kind| matches!(kind, 1 | 3));
        let kind = if content.kind == 0 && barren {
            kinds[0]
        } else {
            content.kind
        };
        let blackhole = Single {
            family: if v6 { 10 } else { 2 },
            gateway: vec![],
            ifindex: 0,
            flags: 0,
        };
        match kind {
            1 => return Some(Expected::Hops(BTreeMap::from([(blackhole, 1)]))),
            2 if content.members.iter().any(|m| self.slots[m.0].owner == 0) => return None,
            3 => return Some(Expected::Unreachable),
            _ => (),
        }
        let own = |m: &&(usize, u16, bool)| self.slots[m.0].owner == 0;
        let primaries: Vec<_> = content.members.iter().filter(|m| !m.2).collect();
        let mut backups: Vec<_> = content.members.iter().filter(|m| m.2).collect();
        if primaries.iter().any(own) {
            backups.retain(own);
        }
        let (wide, beside) = self.weights;
        let max = if wide { 65535 } else { 255 };
        for (rank, members) in [&primaries, &backups].into_iter().enumerate() {
            let mut hops = self.naive_hops(members, v6);
            let most = hops.values().copied().max().unwrap_or(0);
            let owns: Vec<_> = backups.iter().copied().filter(own).collect();
            let mut spare = self.naive_hops(&owns, v6);
            spare.retain(|hop, _| beside && rank == 0 && !hops.contains_key(hop));
            if most > max || !spare.is_empty() {
                hops.values_mut()
                    .for_each(|w| *w = (*w * max / most.max(1)).max(1));
            }
            if !hops.is_empty() {
                hops.extend(spare.into_keys().map(|hop| (hop, 1)));
                return Some(Expected::Hops(reduced(hops)));
            }
        }
        None
    }

    fn naive_hops(&self, members: &[&(usize, u16, bool)], v6: bool) -> BTreeMap<Single, u32> {
        let mine = members.iter().any(|m| self.slots[m.0].owner == 0);
        let mut hops: BTreeMap<Single, u32> = BTreeMap::new();
        for (slot, weight, _) in members {
            if let Some(hop) = self.naive_hop(&self.slots[*slot], mine, v6) {
                *hops.entry(hop).or_default() += u32::from(*weight);
            }
        }
        hops
    }
}
