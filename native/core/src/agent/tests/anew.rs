//! A stream that begins anew in the world of `world`.
use std::collections::{BTreeMap, BTreeSet};

use super::world::{prefix, World, DIGEST_KEY};
use crate::digest::{route_hash, shard, ShardSet, Sums};

impl World {
    /// Another stream: other ids, the same keys, some routes gone; what is the same is not told again, or all is.
    pub fn new_stream(&mut self, mask: u8) {
        self.silent = false;
        self.positions.changed();
        self.routes
            .retain(|(_, number), _| mask & (1 << (number % 8)) == 0);
        let mut kept = self.kept();
        kept.truncate(if mask & 1 == 0 { 2 } else { 0 });
        self.fib.snapshot_begin(&kept);
        kept.resize(2, (0, ShardSet::default()));
        self.adjacency_ids.clear();
        self.group_ids.clear();
        let keys: BTreeSet<u8> = self.routes.values().copied().collect();
        let used: BTreeSet<usize> = keys
            .iter()
            .flat_map(|key| self.contents[key].members.iter().map(|m| m.0))
            .collect();
        for (id, &slot) in used.iter().enumerate() {
            self.put_adjacency(id as u32, slot);
        }
        let ids: BTreeMap<usize, u32> = self
            .adjacency_ids
            .iter()
            .map(|(id, slot)| (*slot, *id))
            .collect();
        for (id, key) in keys.iter().rev().enumerate() {
            let content = self.contents[key].clone();
            let members: Vec<_> = content
                .members
                .iter()
                .map(|(slot, w, backup)| (ids[slot], *w, *backup))
                .collect();
            self.put_group(id as u32, *key, content.kind, &members);
        }
        let by_key: BTreeMap<u8, u32> =
            self.group_ids.iter().map(|(id, key)| (*key, *id)).collect();
        for ((v6, number), key) in self.routes.clone() {
            let (dst, len) = prefix(v6, number);
            if !kept[usize::from(v6)].1.has(shard(&DIGEST_KEY, &dst, len)) {
                self.put_route(v6, number, by_key[&key], 1);
            }
        }
        let (count, digest) = self.fib.digest();
        assert_eq!(count, self.routes.len() as u64);
        assert!(!self.fib.snapshot_end(count + 1, digest, true).0);
        assert!(self.fib.snapshot_end(count, digest, true).0);
    }

    /// The shards of both tables in which the model has what it shall have.
    fn kept(&self) -> Vec<(u32, ShardSet)> {
        let mut wanted = [Sums::default(), Sums::default()];
        for ((v6, number), key) in &self.routes {
            let (dst, len) = prefix(*v6, *number);
            let hash = route_hash(&DIGEST_KEY, 1 + u32::from(*v6), &dst, len, &[*key; 16]);
            wanted[usize::from(*v6)].add(shard(&DIGEST_KEY, &dst, len), hash);
        }
        let own = self.fib.shard_sums().into_iter().zip(wanted);
        own.map(|((table, sums), wanted)| (table, sums.equal(&wanted.to_bytes())))
            .collect()
    }
}
