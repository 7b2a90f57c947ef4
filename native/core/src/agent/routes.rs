//! The route table of one family: a slab of compact entries and a seeded hash index over them (a peer chooses the prefixes).
use foldhash::fast::RandomState;
use hashbrown::hash_table::{Entry as Slot, HashTable};
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher};

use super::Family;

/// Values of `Entry::kernel` that are not the slot of a kernel group.
pub(super) const ABSENT: u32 = u32::MAX;
pub(super) const UNREACHABLE: u32 = u32::MAX - 1;
/// The kernel may hold the route, and how is not known: the verdict was lost, or it was found there without a group of ours.
pub(super) const UNKNOWN: u32 = u32::MAX - 2;

pub(super) const NO_GROUP: u32 = u32::MAX;

pub(super) const LIVE: u8 = 1;
pub(super) const WANTED: u8 = 2;
/// Put by the current stream: in count and digest. Wanted without this is stale.
pub(super) const FRESH: u8 = 4;
pub(super) const QUEUED: u8 = 8;
pub(super) const INFLIGHT: u8 = 16;
pub(super) const FAILED: u8 = 32;

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<const N: usize> {
    pub table: u32,
    pub addr: [u8; N],
    pub group: u32,
    pub kernel: u32,
    pub errno: u16,
    pub len: u8,
    pub flags: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    Free,
    Gone,
    Stale,
    Failed,
    Waiting,
    Installed,
    Idle,
}

impl<const N: usize> Entry<N> {
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// It waits for the kernel's answer and for nothing else, and the kernel had nothing of it before.
    #[inline]
    pub fn is_first_put(&self) -> bool {
        self.flags == LIVE | WANTED | FRESH | INFLIGHT && self.kernel == ABSENT
    }

    #[inline]
    pub fn class(&self) -> Class {
        match CLASSES[usize::from(self.flags) % CLASSES.len()] {
            Class::Installed if self.kernel == ABSENT => Class::Idle,
            class => class,
        }
    }
}

/// By flags, as if the kernel had it.
const CLASSES: [Class; 64] = {
    let mut classes = [Class::Free; 64];
    let mut f = 0;
    while f < classes.len() {
        classes[f] = match f as u8 {
            f if f & LIVE == 0 => Class::Free,
            f if f & WANTED == 0 => Class::Gone,
            f if f & FRESH == 0 => Class::Stale,
            f if f & FAILED != 0 => Class::Failed,
            f if f & (QUEUED | INFLIGHT) != 0 => Class::Waiting,
            _ => Class::Installed,
        };
        f += 1;
    }
    classes
};

#[derive(Debug)]
pub(super) struct RouteTable<const N: usize> {
    pub entries: Vec<Entry<N>>,
    free: Vec<u32>,
    index: HashTable<u32>,
    seed: RandomState,
    tally: [usize; 7],
    watch: Option<Watch<N>>,
}

const SEEN: u8 = 1;
const TOUCHED: u8 = 2;

/// While an audit runs: what its dump had, and what became another meanwhile. Entries made later have no mark: they are not judged.
#[derive(Debug)]
struct Watch<const N: usize> {
    marks: Vec<u8>,
    released: HashSet<([u8; N], u8), RandomState>,
}

#[inline]
fn hash<const N: usize>(seed: &RandomState, table: u32, addr: &[u8; N], len: u8) -> u64 {
    let mut hasher = seed.build_hasher();
    let mut wide = [0; 16];
    wide[..N].copy_from_slice(addr);
    if N > 4 {
        hasher.write_u128(u128::from_ne_bytes(wide));
        hasher.write_u64(u64::from(table) << 8 | u64::from(len));
    } else {
        let word = u32::from_ne_bytes([wide[0], wide[1], wide[2], wide[3]]);
        hasher.write_u64(u64::from(word) << 8 | u64::from(len));
        hasher.write_u32(table);
    }
    hasher.finish()
}

impl<const N: usize> RouteTable<N> {
    pub const FAMILY: Family = if N == 4 { Family::V4 } else { Family::V6 };

    pub fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            seed: RandomState::default(),
            tally: [0; 7],
            watch: None,
        }
    }

    pub fn watch(&mut self) {
        self.watch = Some(Watch {
            marks: vec![0; self.entries.len()],
            released: HashSet::default(),
        });
    }

    pub fn watch_no_more(&mut self) {
        self.watch = None;
    }

    fn mark(&mut self, i: u32, mark: u8) {
        if let Some(watch) = &mut self.watch {
            if let Some(marks) = watch.marks.get_mut(i as usize) {
                *marks |= mark;
            }
        }
    }

    /// What the kernel has of it is another than when the audit began.
    #[inline]
    pub fn touch(&mut self, i: u32) {
        self.mark(i, TOUCHED);
    }

    /// The kernel has it.
    #[inline]
    pub fn saw(&mut self, i: u32) {
        self.mark(i, SEEN);
    }

    fn marks(&self, i: u32) -> u8 {
        let watch = self.watch.as_ref();
        let marks = watch.and_then(|watch| watch.marks.get(i as usize).copied());
        marks.unwrap_or(TOUCHED)
    }

    /// Nothing was written of it since the audit began.
    #[inline]
    pub fn at_rest(&self, i: u32) -> bool {
        self.marks(i) & TOUCHED == 0 && !self.entries[i as usize].has(INFLIGHT)
    }

    /// At rest, and no dump had it.
    #[inline]
    pub fn missed(&self, i: u32) -> bool {
        self.marks(i) == 0 && !self.entries[i as usize].has(INFLIGHT)
    }

    /// Its entry was released since the audit began.
    pub fn released(&self, addr: &[u8; N], len: u8) -> bool {
        let watch = self.watch.as_ref();
        watch.is_some_and(|watch| watch.released.contains(&(*addr, len)))
    }

    pub fn count(&self, class: Class) -> usize {
        self.tally[class as usize]
    }

    pub fn find(&self, table: u32, addr: &[u8; N], len: u8) -> Option<u32> {
        let hash = hash(&self.seed, table, addr, len);
        self.index
            .find(hash, |&i| same(&self.entries[i as usize], table, addr, len))
            .copied()
    }

    /// Brings what the index says of these into the processor's caches, several at a time; one after the other each would wait for
    /// memory by itself.
    pub fn warm(&self, table: u32, addresses: &[u8], lengths: &[u8]) {
        let rows = addresses.chunks_exact(N).zip(lengths);
        let found = rows.filter_map(|(address, &len)| {
            let address = address.try_into().expect("chunks are as long");
            self.find(table, address, len)
        });
        std::hint::black_box(found.fold(0, |a, b| a ^ b));
    }

    /// The entry of a prefix, made if it is new: then live, neither wanted nor in the kernel.
    #[inline]
    pub fn find_or_insert(&mut self, table: u32, addr: [u8; N], len: u8) -> u32 {
        if self.index.len() == self.index.capacity() {
            self.grow(1);
        }
        let Self {
            entries,
            free,
            index,
            seed,
            tally,
            ..
        } = self;
        let slot = index.entry(
            hash(seed, table, &addr, len),
            |&i| same(&entries[i as usize], table, &addr, len),
            |_| unreachable!("there is room"),
        );
        let vacant = match slot {
            Slot::Occupied(found) => return *found.get(),
            Slot::Vacant(vacant) => vacant,
        };
        let entry = Entry {
            table,
            addr,
            group: NO_GROUP,
            kernel: ABSENT,
            errno: 0,
            len,
            flags: LIVE,
        };
        tally[Class::Gone as usize] += 1;
        let i = match free.pop() {
            Some(i) => {
                entries[i as usize] = entry;
                i
            }
            None => {
                entries.push(entry);
                (entries.len() - 1) as u32
            }
        };
        vacant.insert(i);
        self.touch(i);
        i
    }

    /// Change an entry and keep the tallies true.
    #[inline]
    pub fn edit(&mut self, i: u32, change: impl FnOnce(&mut Entry<N>)) {
        let entry = &mut self.entries[i as usize];
        self.tally[entry.class() as usize] -= 1;
        change(entry);
        self.tally[entry.class() as usize] += 1;
    }

    /// What was on its way to a kernel that had nothing of it is there: what `edit` does, for one that `is_first_put`.
    #[inline]
    pub fn first_put_done(&mut self, i: u32, kernel: u32) {
        let entry = &mut self.entries[i as usize];
        entry.flags &= !INFLIGHT;
        entry.kernel = kernel;
        self.tally[Class::Waiting as usize] -= 1;
        self.tally[Class::Installed as usize] += 1;
        self.touch(i);
    }

    /// Forget an entry that is neither wanted nor queued nor in the kernel.
    pub fn release(&mut self, i: u32) {
        let e = self.entries[i as usize];
        debug_assert!(e.flags == LIVE && e.kernel == ABSENT);
        let hash = hash(&self.seed, e.table, &e.addr, e.len);
        if let Ok(found) = self.index.find_entry(hash, |&other| other == i) {
            found.remove();
        }
        self.tally[Class::Gone as usize] -= 1;
        self.entries[i as usize].flags = 0;
        self.free.push(i);
        self.touch(i);
        if let Some(watch) = &mut self.watch {
            watch.released.insert((e.addr, e.len));
        }
    }

    /// Room for a chunk of new routes; growth stays geometric.
    #[inline]
    pub fn reserve_for(&mut self, rows: usize) {
        if self.index.capacity() - self.index.len() < rows {
            self.grow(rows);
        }
        self.entries.reserve(rows);
    }

    /// A larger index, filled in the order of the entries: in that of the old index each would be looked up in memory at random.
    #[cold]
    fn grow(&mut self, rows: usize) {
        // half as many again where what ran out are removed ones' places, which leaves the index as large as it is or less
        let room = self.index.len() + rows.max(self.index.len() / 2);
        // dropped first: never two of them
        self.index = HashTable::new();
        let mut index = HashTable::with_capacity(room);
        for (i, e) in self.entries.iter().enumerate() {
            if e.has(LIVE) {
                let hash = hash(&self.seed, e.table, &e.addr, e.len);
                index.insert_unique(hash, i as u32, |_| unreachable!("there is room"));
            }
        }
        self.index = index;
    }

    pub fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry<N>>()
            + self.free.capacity() * 4
            + self.index.allocation_size()
    }
}

#[inline]
fn same<const N: usize>(e: &Entry<N>, table: u32, addr: &[u8; N], len: u8) -> bool {
    e.addr == *addr && e.len == len && e.table == table
}

/// Why a prefix cannot be: None if it can.
#[inline]
pub(super) fn refuse<const N: usize>(addr: &[u8; N], len: u8) -> Option<&'static str> {
    if usize::from(len) > N * 8 {
        return Some("prefix length out of range");
    }
    let mut wide = [0; 16];
    wide[..N].copy_from_slice(addr);
    let host = u128::from_be_bytes(wide)
        .checked_shl(u32::from(len))
        .unwrap_or(0);
    (host != 0).then_some("bits beyond the prefix length are set")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_stays_compact() {
        assert_eq!((size_of::<Entry<4>>(), size_of::<Entry<16>>()), (20, 32));
    }

    #[test]
    fn prefixes_with_host_bits_or_wild_lengths_are_refused() {
        assert_eq!(refuse(&[10, 0, 0, 0], 8), None);
        assert_eq!(refuse(&[0; 4], 0), None);
        assert_eq!(refuse(&[255; 4], 32), None);
        assert_eq!(refuse(&[255; 16], 128), None);
        assert!(refuse(&[10, 0, 0, 1], 8).is_some());
        assert!(refuse(&[10, 0, 0, 0], 33).is_some());
        assert!(refuse(&[0x20; 16], 127).is_none());
        assert!(refuse(&[0x21; 16], 127).is_some());
    }

    #[test]
    fn an_index_that_is_made_anew_has_room_for_half_as_many_again() {
        let mut table = RouteTable::<4>::new();
        for i in 0..1000_u32 {
            table.find_or_insert(1, i.to_be_bytes(), 32);
        }
        table.reserve_for(table.index.capacity() - table.index.len() + 1);
        assert!(table.index.capacity() >= 1500);
        assert!((0..1000_u32).all(|i| table.find(1, &i.to_be_bytes(), 32) == Some(i)));
        let room = table.index.allocation_size();
        for i in (0..1000_u32).cycle().take(100_000) {
            table.release(i);
            assert_eq!(table.find_or_insert(1, i.to_be_bytes(), 32), i);
        }
        assert_eq!(table.index.allocation_size(), room);
    }

    #[test]
    fn a_released_entry_is_found_no_more_and_its_slot_is_used_again() {
        let mut table = RouteTable::<4>::new();
        let a = table.find_or_insert(1, [10, 0, 0, 0], 8);
        let b = table.find_or_insert(1, [10, 0, 0, 0], 9);
        assert_eq!(table.find_or_insert(1, [10, 0, 0, 0], 8), a);
        table.release(a);
        assert_eq!(table.find(1, &[10, 0, 0, 0], 8), None);
        assert_eq!(table.find(1, &[10, 0, 0, 0], 9), Some(b));
        assert_eq!(table.find_or_insert(2, [11, 0, 0, 0], 8), a);
        assert_eq!(table.count(Class::Gone), 2);
    }
}
