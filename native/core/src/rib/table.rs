//! One table: prefixes in a slab behind a seeded hash index, each with its list of paths, best one first. Slab numbers are stable,
//! so they serve as snapshot cursors.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::feed::{Log, Pos};
use super::infos::InfoId;
use super::memory::hashed;
use super::options::Options;
use super::order::Order;
use super::originate::Kinds;
use super::pending::Answered;
use super::several::Changed;
use super::stale::Generations;
use super::tombstones::FEW;
use super::tracked::Tracked;
use super::NONE;
use crate::digest::Sums;
use crate::prefix::{Addr, Prefix};

/// The head of the path list is usable and best.
pub const HAS_BEST: u16 = 1;
pub const IN_FIB_LOG: u16 = 2;
pub const IN_RIB_LOG: u16 = 4;
/// Best paths of more than one source were told to consumers during this entry's life.
pub const SEVERAL_SOURCES: u16 = 8;
/// The slot is free.
pub const VACANT: u16 = 16;
/// `networks` names this prefix: BGP originates it from whatever route the RIB has.
pub const NETWORK: u16 = 32;
/// The record in the log of best paths is of another group for the same path: news to watches, none to peers.
pub const GROUP_ALONE: u16 = 64;
/// The record is of other paths than the best: news to peers that take several, none to others. With `GROUP_ALONE` it is of both.
pub const OTHERS_ALONE: u16 = 128;
/// New in the FIB, and not in every box yet (`pending.rs`).
pub const PENDING: u16 = 256;
/// Some group of peers was not told of it, as it is pending.
pub const HELD: u16 = 512;

/// Records of `fib_log` that one reader who is late can keep are let go in slices.
const TRIMMED_AT_ONCE: u32 = 16_384;

#[derive(Clone, Debug)]
pub struct Entry<A> {
    pub prefix: Prefix<A>,
    pub flags: u16,
    pub step: u8,
    pub head: u32,
    /// The group that the FIB uses, `NONE` where the prefix is not in it.
    pub group: u32,
    pub fib_pos: u32,
    pub rib_pos: u32,
    /// The source of the last best path that consumers saw.
    pub last_source: u32,
}

impl<A> Entry<A> {
    fn pos(&self, feed: Feed) -> Pos {
        match feed {
            Feed::Fib => self.fib_pos,
            Feed::Rib => self.rib_pos,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Path {
    pub source: u32,
    /// RFC 7911 path identifier as received, 0 where there is none.
    pub path_id: u32,
    pub info: InfoId,
    /// When it came or last changed, by `Core::now`.
    pub since: u32,
    pub next: u32,
}

/// Which of a table's two logs: changes of what is forwarded, or of what is best.
#[derive(Clone, Copy)]
pub enum Feed {
    Fib,
    Rib,
}

pub struct Table<A> {
    /// Number on the wire: instance << 8 | AFI.
    pub id: u32,
    /// Its routes go to the NCPs.
    pub fib: bool,
    pub options: Options,
    /// All entries are to be chosen again.
    pub stale: bool,
    index: HashTable<u32>,
    seed: RandomState,
    pub entries: Vec<Entry<A>>,
    free: Vec<u32>,
    pub paths: Vec<Path>,
    pub generations: Generations,
    free_paths: u32,
    path_count: usize,
    /// Entries that have paths; the others wait for a consumer to pass.
    pub populated: usize,
    /// Entries per prefix length: what a longest match has to try.
    lengths: [u32; 129],
    pub networks: HashSet<Prefix<A>>,
    /// Protocols whose best routes BGP originates.
    pub redistributed: Kinds,
    /// Protocols of which the sweep under way tells peers again.
    pub retold: Kinds,
    pub tracked: Tracked<A>,
    /// While somebody pages through the table.
    pub order: Option<Order<A>>,
    pub fib_log: Log,
    pub rib_log: Log,
    /// All readers have passed more of `fib_log` than was dropped at once.
    pub untrimmed: bool,
    pub answered: Answered,
    /// Readers of `rib_log` that want to hear of groups.
    pub watches: usize,
    /// Readers of `rib_log` that want to hear of other paths than the best.
    pub several: usize,
    pub changed: Changed,
    /// So many entries without paths are borne before a walk looks for those that nobody waits for.
    pub patience: usize,
    /// Slots freed since export groups last looked: what they noted about them is void.
    pub freed: Vec<u32>,
    /// Routes in the FIB, and the sums of their keyed hashes.
    pub fib_count: u64,
    pub fib_sums: Sums,
}

impl<A: Addr> Table<A> {
    pub fn new(id: u32, fib: bool) -> Self {
        Table {
            id,
            fib,
            options: Options::default(),
            stale: false,
            index: HashTable::new(),
            seed: RandomState::default(),
            entries: Vec::new(),
            free: Vec::new(),
            paths: Vec::new(),
            generations: Generations::default(),
            free_paths: NONE,
            path_count: 0,
            populated: 0,
            lengths: [0; 129],
            networks: HashSet::new(),
            redistributed: Kinds::default(),
            retold: Kinds::default(),
            tracked: Tracked::default(),
            order: None,
            fib_log: Log::default(),
            rib_log: Log::default(),
            untrimmed: false,
            answered: Answered::default(),
            watches: 0,
            several: 0,
            changed: Changed::default(),
            patience: FEW,
            freed: Vec::new(),
            fib_count: 0,
            fib_sums: Sums::default(),
        }
    }

    pub fn instance(&self) -> u16 {
        (self.id >> 8) as u16
    }

    #[inline]
    fn hash(seed: &RandomState, p: &Prefix<A>) -> u64 {
        let mut h = seed.build_hasher();
        h.write_u64(p.addr.fold());
        h.write_u8(p.len);
        h.finish()
    }

    #[inline]
    pub fn find(&self, p: &Prefix<A>) -> Option<u32> {
        let hash = Self::hash(&self.seed, p);
        self.index
            .find(hash, |&i| self.entries[i as usize].prefix == *p)
            .copied()
    }

    #[inline]
    pub fn find_or_insert(&mut self, p: Prefix<A>) -> u32 {
        let hash = Self::hash(&self.seed, &p);
        if let Some(&i) = self
            .index
            .find(hash, |&i| self.entries[i as usize].prefix == p)
        {
            return i;
        }
        let network = !self.networks.is_empty() && self.networks.contains(&p);
        let entry = Entry {
            prefix: p,
            flags: if network { NETWORK } else { 0 },
            step: 0,
            head: NONE,
            group: NONE,
            fib_pos: 0,
            rib_pos: 0,
            last_source: NONE,
        };
        let idx = match self.free.pop() {
            Some(i) => {
                self.entries[i as usize] = entry;
                i
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        self.lengths[usize::from(p.len)] += 1;
        if self.order.as_mut().is_some_and(|o| !o.add(p)) {
            self.order = None;
        }
        if self.index.len() == self.index.capacity() {
            self.grow();
            return idx;
        }
        let (entries, seed) = (&self.entries, &self.seed);
        self.index.insert_unique(hash, idx, |&i| {
            Self::hash(seed, &entries[i as usize].prefix)
        });
        idx
    }

    /// A larger index, filled in the order of the entries: in that of the old index each would be looked up in memory at random.
    fn grow(&mut self) {
        let room = self.index.len() + (self.index.len() / 2).max(1);
        // dropped first: never two of them
        self.index = HashTable::new();
        let mut index = HashTable::with_capacity(room);
        for (i, e) in self.entries.iter().enumerate() {
            if e.flags & VACANT == 0 {
                let hash = Self::hash(&self.seed, &e.prefix);
                index.insert_unique(hash, i as u32, |_| unreachable!("there is room"));
            }
        }
        self.index = index;
    }

    /// Brings what the index says of these into the processor's caches, several at a time; one after the other each would wait for
    /// memory by itself.
    #[inline]
    pub fn warm(&self, prefixes: impl Iterator<Item = Prefix<A>>) {
        let found = prefixes.filter_map(|p| self.find(&p)).fold(0, |a, b| a ^ b);
        std::hint::black_box(found);
    }

    /// Frees an entry without paths that no log mentions.
    pub fn release_if_dead(&mut self, idx: u32) {
        let e = &self.entries[idx as usize];
        if e.head != NONE || e.flags & (IN_FIB_LOG | IN_RIB_LOG | VACANT) != 0 {
            return;
        }
        let p = e.prefix;
        let hash = Self::hash(&self.seed, &p);
        if let Ok(found) = self.index.find_entry(hash, |&i| i == idx) {
            found.remove();
        }
        self.lengths[usize::from(p.len)] -= 1;
        self.entries[idx as usize].flags = VACANT;
        self.free.push(idx);
        if self.rib_log.consumers > 0 {
            self.freed.push(idx);
        }
    }

    /// Drops log records that every cursor has passed, frees entries that only the log still held, and compacts a log full of
    /// stale records, moving the cursors with it; true if it did that.
    pub fn trim(&mut self, feed: Feed, cursors: &mut [&mut Pos]) -> bool {
        let flag = match feed {
            Feed::Fib => IN_FIB_LOG,
            Feed::Rib => IN_RIB_LOG,
        };
        let mut log = match feed {
            Feed::Fib => std::mem::take(&mut self.fib_log),
            Feed::Rib => std::mem::take(&mut self.rib_log),
        };
        let base = log.base();
        let passed = cursors
            .iter()
            .map(|c| c.wrapping_sub(base))
            .min()
            .unwrap_or(log.len() as u32);
        let at_once = match feed {
            Feed::Fib => passed.min(TRIMMED_AT_ONCE),
            Feed::Rib => passed,
        };
        if matches!(feed, Feed::Fib) {
            self.untrimmed = at_once < passed;
        }
        let mut dead = Vec::new();
        for _ in 0..at_once {
            let Some((pos, idx)) = log.pop() else { break };
            let e = &mut self.entries[idx as usize];
            if e.flags & flag != 0 && e.pos(feed) == pos {
                e.flags &= !flag;
                if e.head == NONE {
                    dead.push(idx);
                }
            }
        }
        let compacted = log.len() > 2 * self.prefix_count() + 65_536;
        if compacted {
            let mut moved = Vec::new();
            log.compact(
                cursors,
                |pos, idx| {
                    let e = &self.entries[idx as usize];
                    e.flags & flag != 0 && e.pos(feed) == pos
                },
                |idx, pos| moved.push((idx, pos)),
            );
            for (idx, pos) in moved {
                let e = &mut self.entries[idx as usize];
                match feed {
                    Feed::Fib => e.fib_pos = pos,
                    Feed::Rib => e.rib_pos = pos,
                }
            }
        }
        match feed {
            Feed::Fib => self.fib_log = log,
            Feed::Rib => self.rib_log = log,
        }
        for idx in dead {
            self.release_if_dead(idx);
        }
        compacted
    }

    pub fn alloc_path(&mut self, path: Path, generation: u8) -> u32 {
        self.path_count += 1;
        if self.free_paths != NONE {
            let i = self.free_paths;
            self.free_paths = self.paths[i as usize].next;
            self.paths[i as usize] = path;
            self.generations.set(i, generation);
            return i;
        }
        self.paths.push(path);
        let i = (self.paths.len() - 1) as u32;
        self.generations.set(i, generation);
        i
    }

    pub fn free_path(&mut self, i: u32) {
        self.path_count -= 1;
        self.paths[i as usize].next = self.free_paths;
        self.free_paths = i;
    }

    /// The paths of an entry, in list order (best first if it has one).
    #[inline]
    pub fn path_list(&self, idx: u32) -> impl Iterator<Item = (u32, &Path)> + '_ {
        let mut at = self.entries[idx as usize].head;
        std::iter::from_fn(move || {
            if at == NONE {
                return None;
            }
            let i = at;
            let p = &self.paths[i as usize];
            at = p.next;
            Some((i, p))
        })
    }

    /// The path of an entry that a source gave under this path identifier.
    #[inline]
    pub fn path_of(&self, idx: u32, source: u32, path_id: u32) -> Option<u32> {
        self.path_list(idx)
            .find(|(_, p)| p.source == source && p.path_id == path_id)
            .map(|(at, _)| at)
    }

    /// Entries with paths that cover `addr`, longest first.
    pub fn covering(&self, addr: A, max_len: u8) -> impl Iterator<Item = u32> + '_ {
        (0..=max_len)
            .rev()
            .filter(|&len| self.lengths[usize::from(len)] > 0)
            .filter_map(move |len| self.find(&Prefix::new(addr, len)))
            .filter(|&i| self.entries[i as usize].head != NONE)
    }

    pub fn prefix_count(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Entries, and the index that finds them.
    pub fn prefix_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry<A>>()
            + self.index.allocation_size()
            + (self.free.capacity() + self.freed.capacity()) * size_of::<u32>()
            + hashed::<Prefix<A>>(self.networks.capacity())
            + self.order.as_ref().map_or(0, Order::bytes)
    }

    pub fn log_bytes(&self) -> usize {
        self.fib_log.bytes() + self.rib_log.bytes() + self.answered.log.bytes()
    }

    pub fn path_bytes(&self) -> usize {
        self.paths.capacity() * size_of::<Path>() + self.generations.bytes() + self.changed.bytes()
    }

    /// Entries without paths.
    pub fn tombstones(&self) -> usize {
        self.prefix_count() - self.populated
    }

    pub fn path_count(&self) -> usize {
        self.path_count
    }
}
