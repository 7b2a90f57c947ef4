//! Adjacencies and groups of the stream: by id while the stream lasts, by key beyond it.
use super::hop::Gateway;
use super::lowering::Outcome;
use super::routes::NO_GROUP;
use super::{Adjacency, AdjacencySlot, Core, Family, Kind, Member};

const MEMBER: usize = 8;
const MEMBERS_MAX: usize = 4096;

pub(super) fn le32(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |sum, &byte| sum << 8 | u32::from(byte))
}

/// A group of the stream. Its key outlives the stream; ids do not.
#[derive(Debug)]
pub(super) struct Group {
    pub key: [u8; 16],
    pub id: Option<u32>,
    pub ids: u32,
    pub kind: Kind,
    pub members: Vec<Member>,
    /// Routes of each family that name it.
    pub routes: [u32; 2],
    pub outcome: [Outcome; 2],
    /// Its kernel group per family, once one was needed.
    pub kernel: [Option<u32>; 2],
    /// A kernel group found at start under a route that now names this group: taken over if it says the same.
    pub hint: [Option<u32>; 2],
    pub dirty: bool,
    /// Routes of this family must be looked at again.
    pub recheck: [bool; 2],
    /// Of an earlier life of the agent (`memory`): what it comes to is not known, only what the kernel has of it.
    pub recalled: bool,
}

impl Group {
    pub(super) fn new(key: [u8; 16], kind: Kind) -> Self {
        Self {
            key,
            id: None,
            ids: 0,
            kind,
            members: Vec::new(),
            routes: [0; 2],
            outcome: [Outcome::Unset; 2],
            kernel: [None; 2],
            hint: [None; 2],
            dirty: false,
            recheck: [false; 2],
            recalled: false,
        }
    }
}

impl Core {
    pub(super) fn put_adjacency(&mut self, id: u32, adjacency: Adjacency) {
        match self.adjacency_ids.get(&id) {
            Some(&slot) if self.adjacencies[slot].adjacency == adjacency => (),
            Some(&slot) => {
                self.adjacencies[slot].adjacency = adjacency;
                let users: Vec<u32> = self
                    .groups
                    .iter()
                    .filter(|(_, g)| g.members.iter().any(|m| m.adjacency == slot))
                    .map(|(g, _)| g)
                    .collect();
                users.into_iter().for_each(|group| self.mark_dirty(group));
            }
            None => {
                let slot = self.adjacencies.insert(AdjacencySlot {
                    adjacency,
                    id: Some(id),
                    members: 0,
                });
                self.adjacency_ids.insert(id, slot);
            }
        }
    }

    pub(super) fn release_adjacency(&mut self, slot: u32) {
        let adjacency = &self.adjacencies[slot];
        if adjacency.id.is_none() && adjacency.members == 0 {
            self.adjacencies.remove(slot);
        }
    }

    pub(super) fn parse_group(
        &self,
        key: &[u8],
        kind: u8,
        packed: &[u8],
    ) -> Result<([u8; 16], Kind, Vec<Member>), String> {
        let key = <[u8; 16]>::try_from(key)
            .map_err(|_| format!("a key of {} bytes, not 16", key.len()))?;
        let kind = Kind::parse(kind).ok_or_else(|| format!("unknown kind {kind}"))?;
        if packed.len() % MEMBER != 0 || packed.len() > MEMBERS_MAX * MEMBER {
            return Err(format!(
                "{} bytes of members: not at most {MEMBERS_MAX} of {MEMBER} each",
                packed.len()
            ));
        }
        let members = packed.chunks_exact(MEMBER).map(|row| {
            let id = le32(&row[..4]);
            let adjacency = *self
                .adjacency_ids
                .get(&id)
                .ok_or_else(|| format!("unknown adjacency {id}"))?;
            Ok(Member {
                adjacency,
                weight: u16::from_le_bytes([row[4], row[5]]),
                backup: row[6] != 0,
            })
        });
        Ok((key, kind, members.collect::<Result<_, String>>()?))
    }

    pub(super) fn put_group(
        &mut self,
        id: u32,
        key: [u8; 16],
        kind: Kind,
        members: Vec<Member>,
        failed: bool,
    ) {
        for member in &members {
            self.adjacencies[member.adjacency].members += 1;
        }
        let slot = match self.group_keys.get(&key) {
            Some(&slot) => slot,
            None => {
                let slot = self.groups.insert(Group::new(key, kind));
                self.group_keys.insert(key, slot);
                slot
            }
        };
        let group = &mut self.groups[slot];
        let old = std::mem::replace(&mut group.members, members);
        group.kind = kind;
        group.id = Some(id);
        let recalled = std::mem::take(&mut group.recalled);
        if failed || recalled {
            group.recheck = [true; 2];
            self.rescan = true;
        }
        for member in old {
            self.adjacencies[member.adjacency].members -= 1;
            self.release_adjacency(member.adjacency);
        }
        self.mark_dirty(slot);
        self.forgive_group(slot);
        match self.group_ids.insert(id, slot) {
            Some(before) if before == slot => (),
            before => {
                self.groups[slot].ids += 1;
                before
                    .into_iter()
                    .for_each(|other| self.unname_group(other, id));
            }
        }
    }

    /// Whether some member may carry routes of this family at some box: an IPv6 route cannot use an IPv4 nexthop.
    pub(super) fn suits(&self, slot: u32, family: Family) -> bool {
        let members = &self.groups[slot].members;
        let cannot = |m: &Member| {
            let adjacency = &self.adjacencies[m.adjacency].adjacency;
            adjacency.kind == Kind::Ip && matches!(adjacency.gateway, Some(Gateway::V4(_)))
        };
        family == Family::V4 || members.is_empty() || !members.iter().all(cannot)
    }

    /// Being put again, or a route on it, is the sign to try again what the kernel refused.
    pub(super) fn forgive_group(&mut self, slot: u32) {
        let kernels = self.groups[slot].kernel;
        let wants: Vec<u32> = kernels
            .iter()
            .flatten()
            .flat_map(|&k| {
                self.objects.groups[k]
                    .want
                    .iter()
                    .map(|(nexthop, _)| *nexthop)
            })
            .collect();
        self.objects
            .forgive(|nexthop, n| n.wanted == 0 || wants.contains(&nexthop));
    }

    pub(super) fn unname_group(&mut self, slot: u32, id: u32) {
        let group = &mut self.groups[slot];
        group.ids -= 1;
        if group.id == Some(id) {
            group.id = None;
        }
        self.collect_group(slot);
    }

    /// Forget a group that neither the stream nor a route names.
    pub(super) fn collect_group(&mut self, slot: u32) {
        let group = &self.groups[slot];
        if group.ids > 0 || group.routes != [0; 2] {
            return;
        }
        let group = self.groups.remove(slot);
        self.group_keys.remove(&group.key);
        for kernel in group.kernel.into_iter().flatten() {
            self.unsaved = true;
            self.objects.disown(kernel);
        }
        for member in group.members {
            self.adjacencies[member.adjacency].members -= 1;
            self.release_adjacency(member.adjacency);
        }
    }

    pub(super) fn leave_group(&mut self, slot: u32, family: Family) {
        if slot != NO_GROUP {
            self.note_unless_in_kernel(slot, family);
            self.groups[slot].routes[family.at()] -= 1;
            self.collect_group(slot);
        }
    }

    /// Routes of kernel groups are in the kernel's dump, others in `memory` alone.
    #[inline]
    fn note_unless_in_kernel(&mut self, slot: u32, family: Family) {
        self.unsaved |= !matches!(self.groups[slot].outcome[family.at()], Outcome::Kernel(_));
    }

    #[inline]
    pub(super) fn join_group(&mut self, slot: u32, family: Family, kernel: u32) {
        let at = family.at();
        self.note_unless_in_kernel(slot, family);
        let group = &mut self.groups[slot];
        group.routes[at] += 1;
        if group.outcome[at] == Outcome::Unset {
            let found = |k: &u32| {
                self.objects
                    .groups
                    .get(*k)
                    .is_some_and(|g| g.owner.is_none())
            };
            group.hint[at] = group.hint[at].or(Some(kernel).filter(found));
            self.mark_dirty(slot);
        }
    }
}
