//! Nexthops in the kernel that are not as this agent left them: read from a dump by an audit, or told by the kernel as others
//! change them. Both end in the same: the model forgets what is not so, and the ordinary work writes it again. An emptied or
//! deleted group has taken its routes along without a word.
use std::collections::{HashMap, HashSet};

use super::adopt::parse_nexthop;
use super::audit::Drift;
use super::hop::Hop;
use super::kernel::{KernelGroup, Members, Nexthop, Objects};
use super::netlink::{messages, RTM_DELNEXTHOP, RTM_NEWNEXTHOP};
use super::{AgentFib, Core};

#[derive(Debug)]
pub(super) struct Found {
    ours: bool,
    hop: Option<Hop>,
    group: Option<Vec<(u32, u16)>>,
}

fn weighted(packed: &[u8]) -> Vec<(u32, u16)> {
    super::adopt::members(packed).collect()
}

/// What a dump says of nexthops, by id.
pub(super) fn found(dump: &[u8], protocol: u8) -> impl Iterator<Item = (u32, Found)> + '_ {
    let told = messages(dump).filter(|message| message.kind == RTM_NEWNEXTHOP);
    told.filter_map(move |message| {
        let found = parse_nexthop(&message, protocol)?;
        let row = Found {
            ours: found.ours,
            hop: found.hop,
            group: found.group.map(weighted),
        };
        Some((found.id, row))
    })
}

impl AgentFib {
    /// Notifications about nexthops from others than this agent: (ours that went, ours that became something else).
    pub fn nexthop_events(&mut self, events: &[u8]) -> (usize, usize) {
        let core = &mut self.core;
        let mut slots = HashMap::new();
        for (slot, nexthop) in core.objects.nexthops.iter() {
            slots.insert(nexthop.id, (slot, false));
        }
        for (slot, group) in core.objects.groups.iter() {
            slots.insert(group.id, (slot, true));
        }
        let (mut gone, mut changed) = (0, 0);
        for message in messages(events) {
            let Some(found) = parse_nexthop(&message, self.protocol) else {
                continue;
            };
            let Some(&(slot, group)) = slots.get(&found.id) else {
                continue;
            };
            match (message.kind, group, found.group) {
                (RTM_DELNEXTHOP, true, _) => gone += usize::from(core.lose_group(slot)),
                (RTM_DELNEXTHOP, false, _) => gone += usize::from(core.lose_nexthop(slot)),
                (RTM_NEWNEXTHOP, true, Some(packed)) => {
                    changed += usize::from(core.take_group(slot, &weighted(packed)));
                }
                (RTM_NEWNEXTHOP, false, None) => {
                    changed += usize::from(core.take_nexthop(slot, found.hop));
                }
                _ => (),
            }
        }
        (gone, changed)
    }
}

impl Core {
    /// Somebody else deleted it, and the routes on it went too.
    fn lose_group(&mut self, slot: u32) -> bool {
        let group = self.objects.groups.get(slot);
        // an earlier event of the same read may have been the end of it here too
        if !group.is_some_and(|g| g.written || g.busy) {
            return false;
        }
        self.objects.epoch += 1;
        self.rescan = true;
        self.objects.lose_group(slot, false);
        self.objects.set_have(slot, Members::new());
        self.objects.review_group(slot);
        true
    }

    fn lose_nexthop(&mut self, slot: u32) -> bool {
        let nexthop = self.objects.nexthops.get(slot);
        if !nexthop.is_some_and(|n| n.written || n.busy) {
            return false;
        }
        self.objects.epoch += 1;
        self.rescan |= self.objects.lose_nexthops(vec![slot], false);
        // a group that was refused for want of it
        let groups = self.objects.groups.iter();
        let refused: Vec<u32> = groups
            .filter(|(_, g)| g.error.is_some() && g.want.iter().any(|m| m.0 == slot))
            .map(|(group, _)| group)
            .collect();
        for group in refused {
            self.objects.groups[group].error = None;
            self.objects.review_group(group);
        }
        true
    }

    /// Somebody else wrote it: written again unless it says the same.
    fn take_nexthop(&mut self, slot: u32, hop: Option<Hop>) -> bool {
        let Some(nexthop) = self.objects.nexthops.get_mut(slot) else {
            return false;
        };
        if nexthop.wanted == 0 || nexthop.hop == hop || !nexthop.written && !nexthop.busy {
            return false;
        }
        self.objects.epoch += 1;
        nexthop.written = false;
        nexthop.flushed_at = self.objects.epoch;
        self.objects.review_nexthop(slot);
        true
    }

    fn take_group(&mut self, slot: u32, says: &[(u32, u16)]) -> bool {
        let objects = &mut self.objects;
        let Some(group) = objects.groups.get(slot) else {
            return false;
        };
        if !group.written && !group.busy || same_members(objects.says(slot), says) {
            return false;
        }
        let have: Members = says
            .iter()
            .filter_map(|&(id, weight)| {
                let known = objects.nexthops.iter().find(|(_, n)| n.id == id)?;
                Some((known.0, weight))
            })
            .collect();
        if group.busy {
            // before or after our write: once more settles it
            objects.epoch += 1;
            objects.groups[slot].flushed_at = objects.epoch;
        } else {
            objects.set_have(slot, have);
        }
        objects.groups[slot].doubtful = true;
        objects.review_group(slot);
        true
    }

    pub(super) fn audit_objects(&mut self, found: &HashMap<u32, Found>, drift: &mut Drift) {
        let watched = self.objects.watched.take().unwrap_or_default();
        let mut known = HashSet::new();
        let mut at_rest = Vec::new();
        for (slot, n) in self.objects.nexthops.iter() {
            known.insert(n.id);
            let rest = n.written && !n.busy && !n.unconfirmed && !n.doubtful;
            if rest && !watched.contains(&n.id) {
                at_rest.push((slot, n.id));
            }
        }
        for (slot, id) in at_rest {
            match found.get(&id) {
                None => drift.nexthops_missing += usize::from(self.lose_nexthop(slot)),
                Some(is) if is.hop.is_some() => {
                    drift.nexthops_different += usize::from(self.take_nexthop(slot, is.hop));
                }
                Some(_) => (),
            }
        }
        let mut at_rest = Vec::new();
        for (slot, g) in self.objects.groups.iter() {
            known.insert(g.id);
            let rest = g.written && !g.busy && !g.unconfirmed && !g.doubtful;
            if rest && !watched.contains(&g.id) {
                at_rest.push((slot, g.id));
            }
        }
        for (slot, id) in at_rest {
            match found.get(&id).and_then(|is| is.group.as_ref()) {
                Some(says) => {
                    drift.nexthops_different += usize::from(self.take_group(slot, says));
                }
                None => {
                    drift.missing += self.objects.groups[slot].routes as usize;
                    drift.nexthops_missing += usize::from(self.lose_group(slot));
                }
            }
        }
        for (&id, is) in found {
            if is.ours && !known.contains(&id) && !watched.contains(&id) {
                drift.nexthops_foreign += 1;
                self.objects.adopt_stranger(id, is.group.is_some());
            }
        }
    }
}

fn same_members(mut ours: Vec<(u32, u16)>, says: &[(u32, u16)]) -> bool {
    let mut says = says.to_vec();
    ours.sort_unstable();
    says.sort_unstable();
    ours == says
}

impl Objects {
    /// Members of a group as the kernel should tell them.
    fn says(&self, group: u32) -> Vec<(u32, u16)> {
        let have = self.groups[group].have.iter();
        have.map(|&(nexthop, weight)| (self.nexthops[nexthop].id, weight))
            .collect()
    }

    /// Ours by its protocol, but nothing here knows it: it goes.
    fn adopt_stranger(&mut self, id: u32, group: bool) {
        self.used.insert(id);
        if group {
            let slot = self.groups.insert(KernelGroup {
                id,
                written: true,
                ..KernelGroup::default()
            });
            self.review_group(slot);
        } else {
            let slot = self.nexthops.insert(Nexthop {
                id,
                written: true,
                ..Nexthop::default()
            });
            self.review_nexthop(slot);
        }
    }
}
