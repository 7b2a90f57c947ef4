//! Groups: what FIB routes use, interned. A group is named by what it asks for; its number is the wire id and stays while what that
//! comes to changes.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::sets::{Hop, SetKind};
use super::Givers;
use crate::digest::siphash;
use crate::rib::marks::Marks;
use crate::rib::source::Kind;
use crate::rib::NONE;

/// What a group asks for: its hops in their order, each with how many of `givers` are its own.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Shape {
    pub owner: Kind,
    pub kind: SetKind,
    hops: Vec<(Hop, u8)>,
    givers: Vec<u32>,
}

impl Shape {
    pub fn new(owner: Kind, kind: SetKind) -> Shape {
        Shape {
            owner,
            kind,
            hops: Vec::new(),
            givers: Vec::new(),
        }
    }

    pub fn clear(&mut self) {
        self.hops.clear();
        self.givers.clear();
    }

    pub fn push(&mut self, hop: Hop) {
        self.hops.push((hop, 0));
    }

    /// One more giver of the last hop.
    pub fn push_giver(&mut self, giver: u32) {
        if let Some(last) = self.hops.last_mut() {
            last.1 += 1;
            self.givers.push(giver);
        }
    }

    pub fn last_mut(&mut self) -> Option<&mut Hop> {
        self.hops.last_mut().map(|h| &mut h.0)
    }

    /// More than one next hop.
    pub fn is_composite(&self) -> bool {
        self.hops.len() > 1
    }

    pub fn hops(&self) -> impl Iterator<Item = (&Hop, &[u32])> {
        let mut at = 0;
        self.hops.iter().map(move |(hop, n)| {
            let from = at;
            at += usize::from(*n);
            (hop, &self.givers[from..at])
        })
    }

    pub(super) fn hops_mut(&mut self) -> impl Iterator<Item = &mut Hop> {
        self.hops.iter_mut().map(|h| &mut h.0)
    }

    pub(super) fn givers(&self) -> &[u32] {
        &self.givers
    }

    /// 128 bits over the description, the same in both engines and after a restart (`rib/group.py`).
    pub(super) fn key(&self, givers: &Givers, name: impl Fn(u16) -> Vec<u8>) -> [u8; 16] {
        let mut m = Vec::with_capacity(64);
        let counted = |m: &mut Vec<u8>, bytes: &[u8]| {
            m.push(bytes.len() as u8);
            m.extend_from_slice(bytes);
        };
        m.extend_from_slice(&[self.owner as u8, self.kind as u8]);
        for (h, by) in self.hops() {
            m.extend_from_slice(&h.instance.to_le_bytes());
            counted(&mut m, &h.addr.to_bytes());
            counted(&mut m, &name(h.ncp));
            counted(&mut m, &name(h.port));
            m.extend_from_slice(&h.weight.to_le_bytes());
            m.extend_from_slice(&[h.role, by.len() as u8]);
            for &giver in by {
                counted(&mut m, &givers[giver].addr.to_bytes());
            }
        }
        let mut out = [0; 16];
        out[..8].copy_from_slice(&siphash(&[0; 16], &m).to_le_bytes());
        out[8..].copy_from_slice(&siphash(&[1; 16], &m).to_le_bytes());
        out
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    pub adjacency: u32,
    pub weight: u16,
    /// 0 primary, 1 backup.
    pub role: u8,
}

#[derive(Debug)]
pub struct Group {
    pub shape: Shape,
    /// The name that survives restarts.
    pub key: [u8; 16],
    /// Routes that use it, and those among them that are told to FIB consumers.
    pub routes: u32,
    pub forwarded: u32,
    /// What it comes to now; nothing while no route uses it.
    pub members: Vec<Member>,
    /// The set that finds it without hashing, if one does.
    pub(super) set: u32,
    vacant: bool,
}

/// All groups by number. One out of use keeps its number until no FIB consumer knows it any more.
#[derive(Default)]
pub struct Groups {
    slots: Vec<Group>,
    free: Vec<u32>,
    index: HashTable<u32>,
    seed: RandomState,
    /// The one last found: neighbouring prefixes of an UPDATE mostly share theirs.
    last: u32,
    /// Content, or whether any route uses it, changed since the FIB consumers were last told.
    pub(in crate::rib) changed: Marks,
}

impl Groups {
    pub fn find(&mut self, shape: &Shape) -> Option<u32> {
        let last = self.slots.get(self.last as usize);
        if last.is_some_and(|g| !g.vacant && g.shape == *shape) {
            return Some(self.last);
        }
        let hash = self.seed.hash_one(shape);
        let same = |&id: &u32| self.slots[id as usize].shape == *shape;
        self.last = *self.index.find(hash, same)?;
        Some(self.last)
    }

    /// A group that was not there; out of use so far.
    pub(super) fn insert(&mut self, shape: Shape, key: [u8; 16]) -> u32 {
        let hash = self.seed.hash_one(&shape);
        let group = Group {
            shape,
            key,
            routes: 0,
            forwarded: 0,
            members: Vec::new(),
            set: NONE,
            vacant: false,
        };
        let id = super::place(&mut self.slots, &mut self.free, group);
        let (slots, seed) = (&self.slots, &self.seed);
        let rehash = |&i: &u32| seed.hash_one(&slots[i as usize].shape);
        self.index.insert_unique(hash, id, rehash);
        self.last = id;
        id
    }

    /// Gives the number of a group out of use free; the set that knew it.
    pub(super) fn free(&mut self, id: u32) -> Option<u32> {
        let group = &mut self.slots[id as usize];
        if group.routes > 0 || group.vacant {
            return None;
        }
        group.vacant = true;
        let hash = self.seed.hash_one(&group.shape);
        if let Ok(found) = self.index.find_entry(hash, |&i| i == id) {
            found.remove();
        }
        self.free.push(id);
        let set = std::mem::replace(&mut self.slots[id as usize].set, NONE);
        (set != NONE).then_some(set)
    }

    pub fn bytes(&self) -> usize {
        let own = |g: &Group| {
            g.shape.hops.capacity() * size_of::<(Hop, u8)>()
                + g.shape.givers.capacity() * size_of::<u32>()
                + g.members.capacity() * size_of::<Member>()
        };
        self.slots.capacity() * size_of::<Group>()
            + self.slots.iter().map(own).sum::<usize>()
            + self.free.capacity() * size_of::<u32>()
            + self.index.allocation_size()
            + self.changed.bytes()
    }

    /// Those in use.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Group)> {
        let all = self.slots.iter().enumerate();
        all.filter(|(_, g)| g.routes > 0)
            .map(|(id, g)| (id as u32, g))
    }
}

impl std::ops::Index<u32> for Groups {
    type Output = Group;
    #[inline]
    fn index(&self, id: u32) -> &Group {
        &self.slots[id as usize]
    }
}

impl std::ops::IndexMut<u32> for Groups {
    #[inline]
    fn index_mut(&mut self, id: u32) -> &mut Group {
        &mut self.slots[id as usize]
    }
}
