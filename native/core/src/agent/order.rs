//! Where routes stand on their way to the kernel.
use super::routes::{RouteTable, ABSENT, NO_GROUP, WANTED};
use super::{AgentFib, Core};

/// Of a queue's items: the family.
pub(super) const V6_BIT: u32 = 1 << 31;
/// Of the keys that they are sorted by: first what comes, then what goes, so that no address is left without a route that it has
/// before and after; each IPv4 before IPv6, by the first bits of the address.
const GOES: u64 = 1 << 63;
const V6: u64 = 1 << 62;

impl Core {
    #[inline]
    pub(super) fn push<const N: usize>(&mut self, i: u32) {
        self.queue.push(item::<N>(i));
    }

    /// One that stood where the stream wanted it, or that the kernel answered for, and that needs another look.
    pub(super) fn push_again<const N: usize>(&mut self, i: u32) {
        self.queue.push_again(item::<N>(i));
    }
}

#[inline]
pub(super) fn item<const N: usize>(i: u32) -> u32 {
    if N == 4 {
        i
    } else {
        i | V6_BIT
    }
}

impl AgentFib {
    pub(super) fn arrange(&mut self) {
        let mut queue = std::mem::take(&mut self.core.queue);
        queue.arrange(|item| self.order(item));
        self.core.queue = queue;
    }

    pub(super) fn arrange_ahead(&mut self) {
        let mut queue = std::mem::take(&mut self.core.queue);
        queue.arrange_ahead(|item| self.order(item));
        self.core.queue = queue;
    }

    fn order(&self, item: u32) -> u64 {
        if item & V6_BIT == 0 {
            order(&self.core, &self.v4, item)
        } else {
            order(&self.core, &self.v6, item & !V6_BIT)
        }
    }
}

/// IPv4 routes that go keep the order they have, for in ascending order the kernel takes far longer: 400,000 of them took Linux 6.18
/// 4.6 s so and else 0.6 s.
#[inline]
fn order<const N: usize>(core: &Core, routes: &RouteTable<N>, i: u32) -> u64 {
    let e = &routes.entries[i as usize];
    let nowhere =
        || e.group != NO_GROUP && core.target(e.group, RouteTable::<N>::FAMILY) == Some(ABSENT);
    let goes = !e.has(WANTED) || nowhere();
    let family = if N == 4 { 0 } else { V6 };
    if goes && N == 4 {
        return GOES;
    }
    let mut wide = [0; 8];
    let width = N.min(wide.len());
    wide[..width].copy_from_slice(&e.addr[..width]);
    u64::from_be_bytes(wide) >> 2 | family | if goes { GOES } else { 0 }
}
