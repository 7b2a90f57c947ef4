//! What a path says, interned: paths that say the same share one `Info`. Keys come from peers, so hashing is seeded.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::source::Kind;
use crate::wire::attributes::{self, Summary};
use crate::wire::code;
use crate::wire::next_hop::NextHop;

pub type InfoId = u32;

#[derive(Debug)]
pub struct Info {
    pub kind: Kind,
    /// Route subtype within its kind, as an IGP's intra-area, inter-area and external; 0 for kinds that have none: all so far.
    pub subtype: u8,
    refs: u32,
    pub next_hops: u32,
    pub distance: Option<u32>,
    pub metric: u32,
    pub tag: u32,
    pub summary: Summary,
    /// BGP path attributes in canonical form (`wire::attributes`).
    pub attributes: Box<[u8]>,
    /// The next hop as it was told where a link-local one came beside the global one (RFC 2545 3); rare, so behind a pointer.
    told: Option<Box<NextHop>>,
}

#[derive(PartialEq, Eq, Clone, Copy)]
pub struct Key<'a> {
    pub kind: Kind,
    pub next_hops: u32,
    pub distance: Option<u32>,
    pub metric: u32,
    pub tag: u32,
    pub attributes: &'a [u8],
    pub told: NextHop,
}

impl Info {
    fn key(&self) -> Key<'_> {
        Key {
            kind: self.kind,
            next_hops: self.next_hops,
            distance: self.distance,
            metric: self.metric,
            tag: self.tag,
            attributes: &self.attributes,
            told: self.told(),
        }
    }

    /// The next hop as it was told; nothing where the set's own says it.
    pub fn told(&self) -> NextHop {
        self.told.as_deref().copied().unwrap_or_default()
    }

    /// The value of its AS_PATH.
    pub fn as_path(&self) -> &[u8] {
        attributes::find(&self.attributes, code::AS_PATH).unwrap_or(&[])
    }

    pub fn aigp(&self) -> Option<u64> {
        if self.summary.aigp {
            attributes::aigp(&self.attributes)
        } else {
            None
        }
    }
}

#[derive(Default)]
pub struct Infos {
    slab: Vec<Info>,
    free: Vec<InfoId>,
    /// Each with half of its hash: a larger index is made without the attributes being hashed again.
    index: HashTable<(u32, InfoId)>,
    seed: RandomState,
}

/// Half of a hash, and a hash made of it: its bits serve as where to look and as what to compare.
#[inline]
fn half(hash: u64) -> (u32, u64) {
    let half = (hash >> 32) as u32 ^ hash as u32;
    (half, whole(half))
}

#[inline]
fn whole(half: u32) -> u64 {
    u64::from(half) << 32 | u64::from(half)
}

impl Infos {
    fn hash(seed: &RandomState, k: &Key<'_>) -> (u32, u64) {
        let mut h = seed.build_hasher();
        h.write(k.attributes);
        h.write_u32(k.next_hops);
        h.write_u32(k.metric);
        h.write_u32(k.tag ^ ((k.kind as u32) << 24));
        k.distance.hash(&mut h);
        if k.told.link_local != 0 {
            k.told.hash(&mut h);
        }
        half(h.finish())
    }

    /// The id of this content, holding one reference for the caller, and whether it is new.
    pub fn intern(&mut self, key: Key<'_>, summary: Summary) -> (InfoId, bool) {
        let (half, hash) = Self::hash(&self.seed, &key);
        let same = |&(h, i): &(u32, InfoId)| h == half && self.slab[i as usize].key() == key;
        if let Some(&(_, id)) = self.index.find(hash, same) {
            self.slab[id as usize].refs += 1;
            return (id, false);
        }
        let info = Info {
            kind: key.kind,
            subtype: 0,
            refs: 1,
            next_hops: key.next_hops,
            distance: key.distance,
            metric: key.metric,
            tag: key.tag,
            summary,
            attributes: key.attributes.into(),
            told: (key.told.link_local != 0).then(|| Box::new(key.told)),
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.slab[id as usize] = info;
                id
            }
            None => {
                self.slab.push(info);
                (self.slab.len() - 1) as u32
            }
        };
        self.index
            .insert_unique(hash, (half, id), |&(half, _)| whole(half));
        (id, true)
    }

    #[inline]
    pub fn hold(&mut self, id: InfoId) {
        self.slab[id as usize].refs += 1;
    }

    /// Gives one reference back; the next-hop set it used, if that was the last.
    #[inline]
    pub fn release(&mut self, id: InfoId) -> Option<u32> {
        let info = &mut self.slab[id as usize];
        info.refs -= 1;
        if info.refs > 0 {
            return None;
        }
        let (_, hash) = Self::hash(&self.seed, &self.slab[id as usize].key());
        if let Ok(found) = self.index.find_entry(hash, |&(_, i)| i == id) {
            found.remove();
        }
        self.free.push(id);
        let info = &mut self.slab[id as usize];
        info.attributes = Box::default();
        Some(info.next_hops)
    }

    /// Ids in use are below this.
    pub fn slots(&self) -> usize {
        self.slab.len()
    }

    pub fn len(&self) -> usize {
        self.slab.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Infos with their attributes, and the index that finds them.
    pub fn bytes(&self) -> usize {
        self.slab.capacity() * size_of::<Info>()
            + self.attribute_bytes()
            + self.index.allocation_size()
            + self.free.capacity() * size_of::<InfoId>()
    }

    pub fn attribute_bytes(&self) -> usize {
        self.slab.iter().map(|i| i.attributes.len()).sum()
    }
}

impl std::ops::Index<InfoId> for Infos {
    type Output = Info;
    #[inline]
    fn index(&self, id: InfoId) -> &Info {
        &self.slab[id as usize]
    }
}
