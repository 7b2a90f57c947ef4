//! Adjacencies: where packets leave in the end, numbered for the FIB streams, and how several next hops share what is sent.

use super::sets::{Hop, SetKind};
use super::Map;
use crate::prefix::Ip;
use crate::rib::marks::Marks;
use crate::rib::memory::hashed;

/// What a next hop of weight 1 has to share out among its adjacencies.
const UNIT: u64 = 65_536;
/// The kernel keeps weight - 1 in a byte (struct nexthop_grp).
const GREATEST_WEIGHT: u64 = 256;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum AdjacencyKind {
    Ip = 0,
    Drop = 1,
    Local = 2,
    Unreachable = 3,
}

/// Where a packet leaves: owner NCP, port, gateway (`Ip::None`: the destination itself is on the link).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Adjacency {
    pub ncp: u16,
    pub port: u16,
    pub gateway: Ip,
    pub kind: AdjacencyKind,
}

impl Adjacency {
    /// Where a hop leads that needs no look-up.
    pub fn terminal(kind: SetKind, hop: &Hop) -> Adjacency {
        match (kind, hop.role) {
            (SetKind::Blackhole, _) => Adjacency::end(AdjacencyKind::Drop),
            (SetKind::Unreachable, _) => Adjacency::end(AdjacencyKind::Unreachable),
            (SetKind::Connected, 1) => Adjacency::beyond(hop, AdjacencyKind::Local),
            _ => Adjacency::beyond(hop, AdjacencyKind::Ip),
        }
    }

    fn beyond(hop: &Hop, kind: AdjacencyKind) -> Adjacency {
        Adjacency {
            ncp: hop.ncp,
            port: hop.port,
            gateway: hop.addr,
            kind,
        }
    }

    /// The end of packets that are thrown away.
    pub fn end(kind: AdjacencyKind) -> Adjacency {
        Adjacency {
            ncp: 0,
            port: 0,
            gateway: Ip::None,
            kind,
        }
    }
}

/// The adjacencies behind several next hops, given as (weight of the hop, its own adjacencies with their weights). Each hop shares its
/// weight out in proportion to theirs; what several send to one adjacency adds up. In the order of first appearance, with the
/// smallest whole numbers that say the same, or nearly, where the largest would exceed `GREATEST_WEIGHT`.
pub fn blend<'a, T: Copy + PartialEq + 'a>(
    hops: impl Iterator<Item = (u16, &'a [(T, u16)])>,
) -> Vec<(T, u16)> {
    let mut shares: Vec<(T, u64)> = Vec::new();
    for (weight, adjacencies) in hops {
        let whole: u64 = adjacencies.iter().map(|a| u64::from(a.1)).sum();
        for &(adjacency, part) in adjacencies {
            let share = (u64::from(weight) * u64::from(part) * UNIT / whole.max(1)).max(1);
            match shares.iter_mut().find(|s| s.0 == adjacency) {
                Some(known) => known.1 += share,
                None => shares.push((adjacency, share)),
            }
        }
    }
    let divisor = shares.iter().fold(0, |d, s| gcd(s.1, d)).max(1);
    let largest = shares.iter().map(|s| s.1 / divisor).max().unwrap_or(0);
    let fitting = |share: u64| match share / divisor {
        share if largest > GREATEST_WEIGHT => (share * GREATEST_WEIGHT / largest).max(1),
        share => share,
    };
    shares
        .into_iter()
        .map(|(a, share)| (a, fitting(share) as u16))
        .collect()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        gcd(b, a % b)
    }
}

struct Slot {
    adjacency: Adjacency,
    refs: u32,
    vacant: bool,
}

/// All adjacencies by number. One out of use keeps its number until no FIB consumer knows it any more.
#[derive(Default)]
pub struct Adjacencies {
    slots: Vec<Slot>,
    free: Vec<u32>,
    index: Map<Adjacency, u32>,
    /// Fell out of use since the FIB consumers were last told.
    pub(in crate::rib) unused: Marks,
}

impl Adjacencies {
    pub fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.free.capacity() * size_of::<u32>()
            + hashed::<(Adjacency, u32)>(self.index.capacity())
            + self.unused.bytes()
    }

    /// The number of an adjacency, with one more reference.
    pub fn intern(&mut self, adjacency: Adjacency) -> u32 {
        if let Some(&id) = self.index.get(&adjacency) {
            self.slots[id as usize].refs += 1;
            return id;
        }
        let slot = Slot {
            adjacency,
            refs: 1,
            vacant: false,
        };
        let id = super::place(&mut self.slots, &mut self.free, slot);
        self.index.insert(adjacency, id);
        id
    }

    pub fn find(&self, adjacency: &Adjacency) -> Option<u32> {
        self.index.get(adjacency).copied()
    }

    pub fn hold(&mut self, id: u32) {
        self.slots[id as usize].refs += 1;
    }

    pub fn release(&mut self, id: u32) {
        let refs = &mut self.slots[id as usize].refs;
        *refs -= 1;
        if *refs == 0 {
            self.unused.insert(id);
        }
    }

    pub fn in_use(&self, id: u32) -> bool {
        self.slots[id as usize].refs > 0
    }

    /// Gives the number of an adjacency out of use free.
    pub fn free(&mut self, id: u32) {
        let slot = &mut self.slots[id as usize];
        if slot.refs == 0 && !slot.vacant {
            slot.vacant = true;
            self.index.remove(&slot.adjacency);
            self.free.push(id);
        }
    }
}

impl std::ops::Index<u32> for Adjacencies {
    type Output = Adjacency;
    fn index(&self, id: u32) -> &Adjacency {
        &self.slots[id as usize].adjacency
    }
}

#[cfg(test)]
mod tests {
    use super::blend;

    fn blended(hops: &[(u16, &[(char, u16)])]) -> Vec<(char, u16)> {
        blend(hops.iter().copied())
    }

    #[test]
    fn a_single_adjacency_weighs_one_whatever_its_next_hop_weighs() {
        assert_eq!(blended(&[(7, &[('a', 3)])]), [('a', 1)]);
    }

    #[test]
    fn a_hop_shares_its_weight_out_among_its_adjacencies() {
        let split = [('a', 1), ('b', 1)];
        assert_eq!(
            blended(&[(1, &split), (1, &[('c', 1)])]),
            [('a', 1), ('b', 1), ('c', 2)]
        );
        assert_eq!(blended(&[(3, &[('c', 1)]), (1, &split)])[0], ('c', 6));
    }

    #[test]
    fn what_several_hops_send_to_one_adjacency_adds_up() {
        assert_eq!(
            blended(&[(1, &[('a', 1)]), (1, &[('b', 1)]), (1, &[('a', 1)])]),
            [('a', 2), ('b', 1)]
        );
    }

    #[test]
    fn weights_stay_within_a_byte_and_nobody_gets_nothing() {
        let found = blended(&[(65_535, &[('a', 1)]), (1, &[('b', 1)]), (300, &[('c', 1)])]);
        assert_eq!(found, [('a', 256), ('b', 1), ('c', 1)]);
        assert_eq!(
            blended(&[(1, &[('a', 1), ('b', 1), ('c', 1)])]),
            [('a', 1), ('b', 1), ('c', 1)]
        );
    }

    #[test]
    fn nothing_blends_to_nothing() {
        assert_eq!(blended(&[(1, &[])]), []);
    }
}
