//! What an earlier life of the agent left in the kernel, learnt from raw dumps. All of it is stale and keeps forwarding until the
//! stream says the same again, in which case nothing is written, or something else, or a sweep ends it.
use std::collections::HashMap;

use super::hop::{Gateway, Hop};
use super::kernel::{KernelGroup, Members, Nexthop};
use super::netlink::{
    attributes, messages, u32_at, Message, NHA_BLACKHOLE, NHA_GATEWAY, NHA_GROUP, NHA_ID, NHA_OIF,
    NHMSG, RTA_DST, RTA_NH_ID, RTA_PRIORITY, RTA_TABLE, RTMSG, RTM_F_CLONED, RTM_NEWNEXTHOP,
    RTM_NEWROUTE, RTN_UNICAST, RTN_UNREACHABLE,
};
use super::routes::{RouteTable, LIVE, NO_GROUP, QUEUED, UNKNOWN, UNREACHABLE, WANTED};
use super::{AgentFib, Core, Family};

pub(super) struct FoundNexthop<'a> {
    pub id: u32,
    pub ours: bool,
    pub hop: Option<Hop>,
    pub group: Option<&'a [u8]>,
}

/// (id, weight) of a group's members as the kernel packs them.
pub(super) fn members(packed: &[u8]) -> impl Iterator<Item = (u32, u16)> + '_ {
    packed.chunks_exact(8).filter_map(|entry| {
        let weight = u16::from_le_bytes([entry[4], entry[5]]).saturating_add(1);
        Some((u32_at(entry, 0)?, weight))
    })
}

pub(super) fn parse_nexthop<'a>(message: &Message<'a>, protocol: u8) -> Option<FoundNexthop<'a>> {
    let head = message.body.get(..NHMSG)?;
    let family = Family::BOTH
        .into_iter()
        .find(|family| family.af() == head[0]);
    let (mut id, mut oif, mut gateway, mut group, mut plain) = (None, None, None, None, true);
    for (kind, value) in attributes(&message.body[NHMSG..]) {
        match kind {
            NHA_ID => id = u32_at(value, 0),
            NHA_OIF => oif = u32_at(value, 0),
            NHA_GATEWAY => gateway = Some(Gateway::parse(value)?),
            NHA_GROUP => group = Some(value),
            NHA_BLACKHOLE => oif = Some(0),
            _ => plain = false,
        }
    }
    let flags = u32_at(head, 4)? & super::netlink::RTNH_F_ONLINK;
    let hop = family
        .zip(oif)
        .map(|(family, ifindex)| Hop {
            family,
            gateway,
            ifindex,
            flags,
        })
        .filter(|_| plain);
    Some(FoundNexthop {
        id: id?,
        ours: head[2] == protocol,
        hop,
        group,
    })
}

pub(super) struct FoundRoute<'a> {
    pub dst: &'a [u8],
    pub len: u8,
    pub kind: u8,
    pub nexthop: Option<u32>,
}

impl FoundRoute<'_> {
    /// The default route carries no destination.
    pub fn address<const N: usize>(&self) -> Option<[u8; N]> {
        if self.dst.is_empty() && self.len == 0 {
            return Some([0; N]);
        }
        self.dst.try_into().ok()
    }
}

impl AgentFib {
    /// RTM_NEWNEXTHOP messages: ours become stale objects, the ids of others are never used. How many were ours.
    pub fn adopt_nexthops(&mut self, dump: &[u8]) -> usize {
        let found: Vec<FoundNexthop<'_>> = messages(dump)
            .filter(|message| message.kind == RTM_NEWNEXTHOP)
            .filter_map(|message| parse_nexthop(&message, self.protocol))
            .collect();
        let objects = &mut self.core.objects;
        let mut slots: HashMap<u32, u32> = objects
            .nexthops
            .iter()
            .filter(|(_, nexthop)| nexthop.written)
            .map(|(slot, nexthop)| (nexthop.id, slot))
            .collect();
        let mut adopted = 0;
        for nexthop in found.iter().filter(|nexthop| nexthop.group.is_none()) {
            if !objects.used.insert(nexthop.id) || !nexthop.ours {
                continue;
            }
            objects.passed(nexthop.id);
            adopted += 1;
            // of two that say the same only one can be shared from now on
            let hop = nexthop.hop.filter(|hop| !objects.by_hop.contains_key(hop));
            let fresh = Nexthop {
                id: nexthop.id,
                hop,
                written: true,
                stale: true,
                ..Nexthop::default()
            };
            let slot = objects.nexthops.insert(fresh);
            slots.insert(nexthop.id, slot);
            if let Some(hop) = hop {
                objects.by_hop.insert(hop, slot);
            }
        }
        for nexthop in &found {
            let Some(packed) = nexthop.group else {
                continue;
            };
            if !objects.used.insert(nexthop.id) || !nexthop.ours {
                continue;
            }
            objects.passed(nexthop.id);
            adopted += 1;
            let fresh = KernelGroup {
                id: nexthop.id,
                written: true,
                stale: true,
                ..KernelGroup::default()
            };
            let slot = objects.groups.insert(fresh);
            self.unplaced.push((slot, packed.to_vec()));
        }
        // a dump comes in slices, and a member may come after its group
        self.unplaced.retain(|(slot, packed)| {
            let members: Option<Members> = members(packed)
                .map(|(id, weight)| Some((*slots.get(&id)?, weight)))
                .collect();
            let placed = members.map(|members| objects.set_have(*slot, members));
            placed.is_none()
        });
        adopted
    }

    /// RTM_NEWROUTE messages: those under our table, protocol and metric become stale routes. How many there were.
    pub fn adopt_routes(&mut self, dump: &[u8]) -> usize {
        let groups: HashMap<u32, u32> = self
            .core
            .objects
            .groups
            .iter()
            .filter(|(_, g)| g.written)
            .map(|(slot, g)| (g.id, slot))
            .collect();
        let mut adopted = 0;
        for message in messages(dump).filter(|message| message.kind == RTM_NEWROUTE) {
            let Some(route) = self.parse_route(&message) else {
                continue;
            };
            let kernel = match (route.kind, route.nexthop) {
                (RTN_UNREACHABLE, _) => UNREACHABLE,
                (RTN_UNICAST, Some(id)) => groups.get(&id).copied().unwrap_or(UNKNOWN),
                _ => UNKNOWN,
            };
            let taken = match message.body[0] {
                2 => adopt(&mut self.core, &mut self.v4, &route, kernel),
                10 => adopt(&mut self.core, &mut self.v6, &route, kernel),
                _ => false,
            };
            adopted += usize::from(taken);
        }
        adopted
    }

    pub(super) fn parse_route<'a>(&self, message: &Message<'a>) -> Option<FoundRoute<'a>> {
        let head = message.body.get(..RTMSG)?;
        let (mut table, mut metric, mut nexthop, mut dst) = (u32::from(head[4]), 0, None, &[][..]);
        for (kind, value) in attributes(&message.body[RTMSG..]) {
            match kind {
                RTA_TABLE => table = u32_at(value, 0)?,
                RTA_PRIORITY => metric = u32_at(value, 0)?,
                RTA_NH_ID => nexthop = u32_at(value, 0),
                RTA_DST => dst = value,
                _ => (),
            }
        }
        let cloned = u32_at(head, 8)? & RTM_F_CLONED != 0;
        let ours =
            table == self.table && metric == self.metric && head[5] == self.protocol && !cloned;
        ours.then_some(FoundRoute {
            dst,
            len: head[1],
            kind: head[7],
            nexthop,
        })
    }
}

fn adopt<const N: usize>(
    core: &mut Core,
    routes: &mut RouteTable<N>,
    found: &FoundRoute<'_>,
    kernel: u32,
) -> bool {
    let Some(addr) = found.address::<N>() else {
        return false;
    };
    let i = routes.find_or_insert(RouteTable::<N>::FAMILY.table(), addr, found.len);
    core.set_kernel(routes, i, kernel);
    let e = routes.entries[i as usize];
    if e.flags == LIVE {
        routes.edit(i, |e| e.flags |= WANTED);
    } else if !e.has(QUEUED) && e.group != NO_GROUP {
        // the stream spoke first
        routes.edit(i, |e| e.flags |= QUEUED);
        core.push_again::<N>(i);
    }
    true
}
