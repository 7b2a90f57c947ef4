//! Givers: the peers that groups name as having told of a next hop, so that the loss of one moves groups before any route is looked
//! at. A giver is an address in an instance: the next session of the same peer is the same giver.

use super::{Ids, Map};
use crate::prefix::Ip;
use crate::rib::memory::hashed;

#[derive(Debug)]
pub struct Giver {
    pub addr: Ip,
    /// Sources with this address whose paths count.
    pub(super) up: u32,
    /// Groups in use that name it.
    pub(super) groups: Ids,
}

#[derive(Default)]
pub struct Givers {
    list: Vec<Giver>,
    index: Map<(u16, Ip), u32>,
}

impl Givers {
    pub fn bytes(&self) -> usize {
        let groups = self.list.iter().map(|g| hashed::<u32>(g.groups.capacity()));
        self.list.capacity() * size_of::<Giver>()
            + groups.sum::<usize>()
            + hashed::<((u16, Ip), u32)>(self.index.capacity())
    }

    pub fn number(&mut self, instance: u16, addr: Ip) -> u32 {
        let list = &mut self.list;
        *self.index.entry((instance, addr)).or_insert_with(|| {
            list.push(Giver {
                addr,
                up: 0,
                groups: Ids::default(),
            });
            (list.len() - 1) as u32
        })
    }
}

impl std::ops::Index<u32> for Givers {
    type Output = Giver;
    fn index(&self, giver: u32) -> &Giver {
        &self.list[giver as usize]
    }
}

impl std::ops::IndexMut<u32> for Givers {
    fn index_mut(&mut self, giver: u32) -> &mut Giver {
        &mut self.list[giver as usize]
    }
}
