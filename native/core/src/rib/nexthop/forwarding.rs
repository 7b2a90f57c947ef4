//! What routes forward with: the group of a selection, and what groups come to as next hops resolve and peers are lost.

use super::adjacency::{blend, Adjacency, AdjacencyKind};
use super::groups::{Member, Shape};
use super::sets::SetKind;
use super::NextHops;
use crate::rib::NONE;

impl NextHops {
    /// The group of a set's own next hops: the one of most routes, so no hashing but for the first.
    #[inline]
    pub fn group_of_set(&mut self, set: u32) -> u32 {
        match self.sets[set as usize].group {
            NONE => self.first_group_of_set(set),
            known => known,
        }
    }

    fn first_group_of_set(&mut self, set: u32) -> u32 {
        let key = &self.sets[set as usize].key;
        let mut shape = Shape::new(key.owner, key.kind);
        key.hops.iter().for_each(|&h| shape.push(h));
        let group = self.group_of_shape(&shape);
        self.sets[set as usize].group = group;
        self.groups[group].set = set;
        group
    }

    pub fn group_of_shape(&mut self, shape: &Shape) -> u32 {
        if let Some(known) = self.groups.find(shape) {
            return known;
        }
        let key = shape.key(&self.givers, |n| self.name(n).as_bytes().to_vec());
        let new = self.groups.insert(shape.clone(), key);
        self.groups.changed.insert(new); // should no route come to use it, it is found there
        new
    }

    /// One more route on a group, one less. `forwarded`: FIB consumers are told of the route.
    #[inline]
    pub fn add_route(&mut self, id: u32, forwarded: bool) {
        let group = &mut self.groups[id];
        group.routes += 1;
        group.forwarded += u32::from(forwarded);
        if group.routes == 1 {
            self.attach(id);
        }
        if forwarded && self.groups[id].forwarded == 1 {
            self.groups.changed.insert(id);
        }
    }

    #[inline]
    pub fn remove_route(&mut self, id: u32, forwarded: bool) {
        let group = &mut self.groups[id];
        group.routes -= 1;
        group.forwarded -= u32::from(forwarded);
        let (unused, untold) = (group.routes == 0, forwarded && group.forwarded == 0);
        if unused {
            self.detach(id);
        }
        if unused || untold {
            self.groups.changed.insert(id);
        }
    }

    /// The group comes into use: what its hops come to is followed. The paths that asked for it hold their trackers.
    fn attach(&mut self, id: u32) {
        let group = &mut self.groups[id];
        if group.shape.kind == SetKind::Via {
            for h in group.shape.hops_mut() {
                h.tracker = self.tracker_index[&h.target()];
                self.trackers[h.tracker as usize].groups.insert(id);
            }
            for &giver in group.shape.givers() {
                self.givers[giver].groups.insert(id);
            }
        }
        self.refresh_group(id);
    }

    fn detach(&mut self, id: u32) {
        let group = &mut self.groups[id];
        if group.shape.kind == SetKind::Via {
            for (h, _) in group.shape.hops() {
                self.trackers[h.tracker as usize].groups.remove(&id);
            }
            for &giver in group.shape.givers() {
                self.givers[giver].groups.remove(&id);
            }
        }
        for m in std::mem::take(&mut group.members) {
            self.adjacencies.release(m.adjacency);
        }
    }

    /// Makes a group in use what its hops come to now.
    pub fn refresh_group(&mut self, id: u32) {
        let members = if self.groups[id].shape.kind == SetKind::Via {
            let mut members = self.blended(id, false);
            if members.is_empty() {
                members = self.blended(id, true);
            }
            members
                .iter()
                .for_each(|m| self.adjacencies.hold(m.adjacency));
            members
        } else {
            let kind = self.groups[id].shape.kind;
            let hops = self.groups[id].shape.hops();
            let ends: Vec<Adjacency> = hops.map(|(h, _)| Adjacency::terminal(kind, h)).collect();
            let only = |end| Member {
                adjacency: self.adjacencies.intern(end),
                weight: 1,
                role: 0,
            };
            ends.into_iter().map(only).collect()
        };
        let group = &mut self.groups[id];
        if group.members != members {
            self.groups.changed.insert(id);
        }
        let old = std::mem::replace(&mut self.groups[id].members, members);
        old.iter()
            .for_each(|m| self.adjacencies.release(m.adjacency));
    }

    /// Primaries and what stands behind them. Hops whose givers are all lost are out, unless `lost_too`.
    fn blended(&self, id: u32, lost_too: bool) -> Vec<Member> {
        let shape = &self.groups[id].shape;
        let of_role = |role: u8| {
            let hops = shape.hops().filter(move |(h, givers)| {
                let given = givers.is_empty() || givers.iter().any(|&g| self.givers[g].up > 0);
                h.role == role && (given || lost_too)
            });
            blend(hops.map(|(h, _)| {
                let resolution = &self.trackers[h.tracker as usize].resolution;
                (h.weight, &resolution.adjacencies[..])
            }))
        };
        let as_role = |role: u8| {
            move |(adjacency, weight): (u32, u16)| Member {
                adjacency,
                weight,
                role,
            }
        };
        let mut members: Vec<Member> = of_role(0).into_iter().map(as_role(0)).collect();
        if shape.is_composite() {
            let primaries = members.len();
            let backups = of_role(1).into_iter().map(as_role(u8::from(primaries > 0)));
            for backup in backups {
                if !members[..primaries]
                    .iter()
                    .any(|m| m.adjacency == backup.adjacency)
                {
                    members.push(backup);
                }
            }
        }
        members
    }

    /// What the group is as a whole: as its members are, IP where they differ.
    pub fn group_kind(&self, id: u32) -> AdjacencyKind {
        let mut kinds = self.groups[id]
            .members
            .iter()
            .map(|m| self.adjacencies[m.adjacency].kind);
        let first = kinds.next().unwrap_or(AdjacencyKind::Ip);
        if kinds.all(|k| k == first) {
            first
        } else {
            AdjacencyKind::Ip
        }
    }

    /// Groups and adjacencies that changed since the FIB consumers were told.
    pub fn unshared(&self) -> usize {
        self.groups.changed.len() + self.adjacencies.unused.len()
    }

    /// Gives the number of a group out of use free.
    pub fn free_group(&mut self, id: u32) {
        if let Some(set) = self.groups.free(id) {
            self.sets[set as usize].group = NONE;
        }
    }

    /// A source with this address counts from now on, or no longer: the groups that name it change at once.
    pub fn giver_up(&mut self, giver: u32) {
        self.givers[giver].up += 1;
        if self.givers[giver].up == 1 {
            self.refresh_groups_of_giver(giver);
        }
    }

    pub fn giver_down(&mut self, giver: u32) {
        self.givers[giver].up -= 1;
        if self.givers[giver].up == 0 {
            self.refresh_groups_of_giver(giver);
        }
    }

    fn refresh_groups_of_giver(&mut self, giver: u32) {
        let named: Vec<u32> = self.givers[giver].groups.iter().copied().collect();
        named.into_iter().for_each(|id| self.refresh_group(id));
    }
}
