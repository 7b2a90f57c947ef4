//! What a group of the stream becomes on this box. First form of `one RIB, a FIB for each box`: a group with a member of ours uses
//! only ours; any other goes to the owners over the fabric, which is loop-free without anything in the packet: what comes over the
//! fabric comes to an owner of a primary, or of a backup where no primary's owner can be reached, and the former never sends it back.
use super::hop::{Gateway, Hop};
use super::kernel::{alike, Members};
use super::routes::{ABSENT, UNREACHABLE};
use super::{Core, Family, Group, Kind, Member};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// Not needed yet, or not computed.
    Unset,
    /// No member has a form in this kernel now: no route is written.
    Unresolved,
    /// Delivered here by the kernel's own local table: nothing to write.
    Local,
    /// A route of type unreachable: nexthop objects cannot say that.
    Unreachable,
    /// Slot of a kernel group.
    Kernel(u32),
}

impl Outcome {
    #[inline]
    pub fn target(self) -> Option<u32> {
        match self {
            Self::Unset => None,
            Self::Unresolved | Self::Local => Some(ABSENT),
            Self::Unreachable => Some(UNREACHABLE),
            Self::Kernel(slot) => Some(slot),
        }
    }
}

pub(super) enum Lowered {
    Unresolved,
    Local,
    Unreachable,
    Hops(Vec<(Hop, u32)>),
}

/// How unequal the members of a kernel group can be, and whether they are made so: with `backup`, backups of this box stand beside
/// the primaries at the least weight there is, so that losing the primaries' carrier moves routes with no action of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Weights {
    pub max: u32,
    pub backup: bool,
}

impl Weights {
    /// 16 bits since Linux 6.12, 8 before.
    pub fn new(wide: bool, backup: bool) -> Self {
        let max = if wide { 65535 } else { 255 };
        Self { max, backup }
    }

    /// The primaries in their proportion, scaled where that does not fit or where `spare` shall be as little as it can.
    fn fit(self, mut hops: Vec<(Hop, u32)>, spare: Vec<(Hop, u32)>) -> Vec<(Hop, u32)> {
        let most = hops.iter().map(|(_, weight)| *weight).max().unwrap_or(1);
        if most > self.max || !spare.is_empty() {
            for (_, weight) in &mut hops {
                *weight =
                    (u64::from(*weight) * u64::from(self.max) / u64::from(most)).max(1) as u32;
            }
        }
        hops.extend(spare.into_iter().map(|(hop, _)| (hop, 1)));
        hops
    }
}

impl Core {
    pub(super) fn relower_dirty(&mut self) {
        while let Some(slot) = self.dirty.pop() {
            let Some(group) = self.groups.get_mut(slot) else {
                continue;
            };
            group.dirty = false;
            self.relower(slot);
        }
    }

    pub(super) fn relower(&mut self, slot: u32) {
        if self.groups[slot].recalled {
            return;
        }
        for family in Family::BOTH {
            let at = family.at();
            let group = &self.groups[slot];
            if group.routes[at] == 0 && group.kernel[at].is_none() {
                self.groups[slot].outcome[at] = Outcome::Unset;
                continue;
            }
            let before = group.outcome[at];
            let mut want = Vec::new();
            let after = match self.lower(group, family) {
                Lowered::Unresolved => Outcome::Unresolved,
                Lowered::Local => Outcome::Local,
                Lowered::Unreachable => Outcome::Unreachable,
                Lowered::Hops(hops) => {
                    want = hops
                        .into_iter()
                        .map(|(hop, weight)| (self.objects.nexthop(hop), weight as u16))
                        .collect();
                    Outcome::Kernel(self.kernel_group(slot, family, &want))
                }
            };
            if let Some(kernel) = self.groups[slot].kernel[at] {
                self.objects.set_want(kernel, want);
            }
            self.groups[slot].outcome[at] = after;
            self.unsaved |= before != after;
            if before != after && before != Outcome::Unset {
                self.groups[slot].recheck[at] = true;
                self.rescan = true;
            }
        }
    }

    /// The kernel group of this group and family: its own, or one left by an earlier life of the agent that says the same, or new.
    fn kernel_group(&mut self, slot: u32, family: Family, want: &Members) -> u32 {
        let group = &mut self.groups[slot];
        if let Some(kernel) = group.kernel[family.at()] {
            return kernel;
        }
        let hint = group.hint[family.at()].take();
        let kernel = match hint.and_then(|k| Some((k, self.objects.groups.get_mut(k)?))) {
            Some((k, found))
                if found.owner.is_none()
                    && found.stale
                    && found.written
                    && alike(&found.have, want) =>
            {
                found.owner = Some((slot, family));
                found.stale = false;
                k
            }
            _ => self.objects.new_group((slot, family)),
        };
        self.groups[slot].kernel[family.at()] = Some(kernel);
        kernel
    }

    fn lower(&self, group: &Group, family: Family) -> Lowered {
        match self.kind(group) {
            Kind::Drop => return Lowered::Hops(vec![(Hop::blackhole(family), 1)]),
            Kind::Unreachable => return Lowered::Unreachable,
            Kind::Local
                if group
                    .members
                    .iter()
                    .any(|m| self.adjacencies[m.adjacency].adjacency.owner == self.me) =>
            {
                return Lowered::Local;
            }
            _ => (),
        }
        let mine = |m: &&Member| self.adjacencies[m.adjacency].adjacency.owner == self.me;
        let primary = |m: &&Member| !m.backup;
        // Every other box sends to the owners of primaries until the controller tells it otherwise, the backup's too: what this one
        // sent there would come straight back. An owner of a primary repairs with its own, or not at all.
        let owner = group.members.iter().filter(primary).any(|m| mine(&m));
        let backups = group.members.iter();
        let backups = backups.filter(|m| m.backup && (!owner || mine(m)));
        let spare = |hops: &[(Hop, u32)]| {
            let mut spare = self.hops(backups.clone().filter(mine), family);
            spare.retain(|(hop, _)| !self.is_refused(hop) && hops.iter().all(|h| h.0 != *hop));
            spare
        };
        let ranks = [
            self.hops(group.members.iter().filter(primary), family),
            self.hops(backups.clone(), family),
        ];
        for (rank, hops) in ranks.iter().enumerate() {
            let mut healthy = hops.clone();
            healthy.retain(|(hop, _)| !self.is_refused(hop));
            if !healthy.is_empty() {
                let beside = rank == 0 && self.weights.backup;
                let spare = if beside { spare(&healthy) } else { Vec::new() };
                return Lowered::Hops(self.weights.fit(healthy, spare));
            }
        }
        // Where the kernel refused them all, let it refuse the routes too: that reaches whoever asked.
        let refused = ranks.into_iter().find(|hops| !hops.is_empty());
        refused.map_or(Lowered::Unresolved, |hops| {
            Lowered::Hops(self.weights.fit(hops, Vec::new()))
        })
    }

    /// A group of kind ip whose members have nothing but drop or unreachable adjacencies is of that kind.
    fn kind(&self, group: &Group) -> Kind {
        let mut kinds = group
            .members
            .iter()
            .map(|m| self.adjacencies[m.adjacency].adjacency.kind);
        match kinds.next() {
            Some(first @ (Kind::Drop | Kind::Unreachable)) if group.kind == Kind::Ip => {
                if kinds.all(|kind| matches!(kind, Kind::Drop | Kind::Unreachable)) {
                    first
                } else {
                    Kind::Ip
                }
            }
            _ => group.kind,
        }
    }

    fn hops<'a>(
        &self,
        members: impl Iterator<Item = &'a Member> + Clone,
        family: Family,
    ) -> Vec<(Hop, u32)> {
        let mut hops: Vec<(Hop, u32)> = Vec::new();
        let mine = members
            .clone()
            .any(|m| self.adjacencies[m.adjacency].adjacency.owner == self.me);
        for member in members {
            let adjacency = &self.adjacencies[member.adjacency].adjacency;
            let hop = match adjacency.kind {
                Kind::Ip if adjacency.owner == self.me => {
                    self.own_hop(adjacency.port, adjacency.gateway, family)
                }
                Kind::Ip | Kind::Local if !mine => self.fabric_hop(adjacency.owner, family),
                _ => None,
            };
            let Some(hop) = hop else { continue };
            let weight = u32::from(member.weight.max(1));
            match hops.iter_mut().find(|(known, _)| *known == hop) {
                Some((_, sum)) => *sum += weight,
                None => hops.push((hop, weight)),
            }
        }
        hops
    }

    fn ifindex(&self, port: u32) -> Option<u32> {
        self.ports
            .get(&port)
            .filter(|port| port.up)
            .map(|port| port.ifindex)
    }

    fn own_hop(&self, port: u32, gateway: Option<Gateway>, family: Family) -> Option<Hop> {
        let ifindex = self.ifindex(port)?;
        match gateway {
            None => Some(Hop::link(family, ifindex)),
            // an IPv6 route cannot use an IPv4 nexthop; the reverse works
            Some(Gateway::V4(_)) if family == Family::V6 => None,
            Some(gateway) => Some(Hop::via(gateway, ifindex)),
        }
    }

    fn fabric_hop(&self, owner: u32, family: Family) -> Option<Hop> {
        let ifindex = self.ifindex(self.fabric?)?;
        let peer = self.peers.get(&owner)?;
        let v4 = peer.v4.filter(|_| family == Family::V4).map(Gateway::V4);
        Some(Hop::via(v4.or(peer.v6.map(Gateway::V6))?, ifindex))
    }

    fn is_refused(&self, hop: &Hop) -> bool {
        self.objects
            .by_hop
            .get(hop)
            .is_some_and(|&slot| self.objects.nexthops[slot].error.is_some())
    }
}
