//! From what was chosen of a prefix's paths to the group that its route uses (docs/adr/0007-groups.md).

use super::choice::Choice;
use super::core::Core;
use super::nexthop::{Hop, NextHops, SetKind, Shape};
use super::source::Kind;
use super::table::Table;
use crate::prefix::{Addr, Ip};
use crate::wire::attributes::link_bandwidth;

/// The weight of the member with the most bandwidth.
const GREATEST_BANDWIDTH_WEIGHT: f64 = 256.0;

/// Buffers of `Core::group_of`, kept for the next prefix.
pub struct Grouping {
    /// Next hops as asked for, each with its giver and that peer's address.
    asked: Vec<(Hop, Ip, u32)>,
    shape: Shape,
}

impl Default for Grouping {
    fn default() -> Self {
        Grouping {
            asked: Vec::new(),
            shape: Shape::new(Kind::Bgp, SetKind::Via),
        }
    }
}

impl Core {
    #[inline]
    pub(super) fn group_of<A: Addr>(&mut self, t: &Table<A>, choice: &Choice) -> u32 {
        if choice.rest.is_empty() && choice.backup.is_none() {
            let info = &self.infos[t.paths[choice.best as usize].info];
            return self.hops.group_of_set(info.next_hops);
        }
        self.group_of_several(t, choice)
    }

    fn group_of_several<A: Addr>(&mut self, t: &Table<A>, choice: &Choice) -> u32 {
        let mut g = std::mem::take(&mut self.grouping);
        g.asked.clear();
        let members = || std::iter::once(&choice.best).chain(&choice.rest);
        let bandwidth = |path: &u32| {
            let info = &self.infos[t.paths[*path as usize].info];
            link_bandwidth(&info.attributes).map(f64::from)
        };
        let told: Option<Vec<f64>> = if t.options.weighted {
            members().map(bandwidth).collect()
        } else {
            None
        };
        let most = told.iter().flatten().copied().fold(0.0, f64::max);
        for (at, &path) in members().enumerate() {
            let weight = told.as_ref().map_or(1, |told| {
                (told[at] * GREATEST_BANDWIDTH_WEIGHT / most).max(1.0) as u16
            });
            self.ask(t, path, weight, 0, &mut g.asked);
        }
        if let Some(path) = choice.backup {
            self.ask(t, path, 1, 1, &mut g.asked);
        }
        merge(&self.hops, &mut g);
        let group = if g.shape.is_composite() {
            self.hops.group_of_shape(&g.shape)
        } else {
            let info = &self.infos[t.paths[choice.best as usize].info];
            self.hops.group_of_set(info.next_hops)
        };
        self.grouping = g;
        group
    }

    fn ask<A: Addr>(
        &self,
        t: &Table<A>,
        path: u32,
        weight: u16,
        role: u8,
        asked: &mut Vec<(Hop, Ip, u32)>,
    ) {
        let path = &t.paths[path as usize];
        let source = &self.sources[path.source as usize];
        let set = &self.hops.sets[self.infos[path.info].next_hops as usize];
        for &hop in &set.key.hops {
            let hop = Hop {
                weight,
                role,
                ..hop
            };
            asked.push((hop, source.address, source.giver));
        }
    }
}

/// One hop for each next hop asked for, in an order of their own: whoever gave them, and in whatever order, the group is the same.
fn merge(hops: &NextHops, g: &mut Grouping) {
    g.asked.sort_unstable_by(|(a, by_a, _), (b, by_b, _)| {
        let names = |x: u16, y: u16| hops.name(x).as_bytes().cmp(hops.name(y).as_bytes());
        (a.role, a.instance, a.addr)
            .cmp(&(b.role, b.instance, b.addr))
            .then_with(|| names(a.ncp, b.ncp))
            .then_with(|| names(a.port, b.port))
            .then_with(|| by_a.cmp(by_b))
    });
    g.shape.clear();
    let mut last: Option<(Hop, u32)> = None;
    for &(hop, _, giver) in &g.asked {
        let same =
            |(known, _): &(Hop, u32)| known.target() == hop.target() && known.role == hop.role;
        match (g.shape.last_mut(), last.filter(same)) {
            (Some(merged), Some((_, by))) => {
                merged.weight = merged.weight.saturating_add(hop.weight);
                if by != giver {
                    g.shape.push_giver(giver);
                }
            }
            _ => {
                g.shape.push(hop);
                g.shape.push_giver(giver);
            }
        }
        last = Some((hop, giver));
    }
}
