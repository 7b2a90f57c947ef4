//! Addresses whose resolution follows a table, for telling quickly whether a prefix covers one.

use std::collections::BTreeMap;

use crate::prefix::{Addr, Ip, Prefix};

/// The addresses, each with its tracker.
#[derive(Default)]
pub struct Tracked<A> {
    pub by_address: BTreeMap<A, u32>,
    /// Bit per leading 16 bits in use; never cleared, so it only ever says "maybe" too often.
    filter: Vec<u64>,
}

impl<A: Addr> Tracked<A> {
    fn word(addr: A) -> (usize, u64) {
        let top = match addr.wrap() {
            Ip::V4(a) => a >> 16,
            Ip::V6(a) => (a >> 96) as u32 & 0xffff,
            Ip::None => 0,
        };
        ((top >> 6) as usize, 1 << (top & 63))
    }

    pub fn insert(&mut self, addr: A, tracker: u32) {
        if self.filter.is_empty() {
            self.filter = vec![0; 1024];
        }
        let (word, bit) = Self::word(addr);
        self.filter[word] |= bit;
        self.by_address.insert(addr, tracker);
    }

    pub fn remove(&mut self, addr: A) {
        self.by_address.remove(&addr);
    }

    pub fn bytes(&self) -> usize {
        // A B-tree node is two thirds full on average
        self.by_address.len() * size_of::<(A, u32)>() * 3 / 2 + self.filter.len() * size_of::<u64>()
    }

    /// Calls `f` with each tracker whose address the prefix covers.
    #[inline]
    pub fn covered(&self, p: Prefix<A>, mut f: impl FnMut(u32)) {
        if self.by_address.is_empty() {
            return;
        }
        if p.len >= A::BITS / if A::BITS == 32 { 2 } else { 4 } {
            let (word, bit) = Self::word(p.addr);
            if self.filter[word] & bit == 0 {
                return;
            }
        }
        for (_, &t) in self.by_address.range(p.addr..=p.addr.last(p.len)) {
            f(t);
        }
    }
}
