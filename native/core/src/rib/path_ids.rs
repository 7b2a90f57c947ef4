//! Path identifiers (RFC 7911 2) as a group of peers has them: small numbers of a prefix, each kept while its path is told. A number
//! that is free may still mean a path to a peer that has not read for a while, so it is withdrawn with every change of the prefix
//! until it is used again. They are as many as were ever used at once.

use super::NONE;

/// One identifier of an entry; its number is its place in the list, from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// In the table; `NONE` where it is free.
    path: u32,
    /// The source of all paths that it ever meant, which was never told of them; `NONE` where there were several.
    giver: u32,
}

/// By slot of the table.
#[derive(Default)]
pub struct PathIds(Vec<Vec<Slot>>);

/// The identifier of a path, and whether it may have meant another source's to somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Assigned {
    pub id: u32,
    pub reused: bool,
}

impl PathIds {
    /// Identifiers for these (path, source) of an entry, in their order; those of other paths become free.
    pub fn assign(
        &mut self,
        entry: u32,
        paths: impl Iterator<Item = (u32, u32)> + Clone,
    ) -> Vec<Assigned> {
        let at = entry as usize;
        if at >= self.0.len() {
            self.0.resize_with(at + 1, Vec::new);
        }
        assign(&mut self.0[at], paths)
    }

    /// What `assign` would come to now.
    pub fn preview(
        &self,
        entry: u32,
        paths: impl Iterator<Item = (u32, u32)> + Clone,
    ) -> Vec<Assigned> {
        let known = self.0.get(entry as usize);
        assign(&mut known.cloned().unwrap_or_default(), paths)
    }

    /// The free identifiers of an entry, each with the source that was never told under it.
    pub fn free(&self, entry: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let known = self.0.get(entry as usize).into_iter().flatten();
        let numbered = known.zip(1..);
        numbered
            .filter(|(slot, _)| slot.path == NONE)
            .map(|(slot, id)| (id, slot.giver))
    }

    /// The entry means another prefix now, or none.
    pub fn forget(&mut self, entry: u32) {
        if let Some(known) = self.0.get_mut(entry as usize) {
            *known = Vec::new();
        }
    }

    pub fn bytes(&self) -> usize {
        let known = self.0.iter().map(|k| k.capacity() * size_of::<Slot>());
        self.0.capacity() * size_of::<Vec<Slot>>() + known.sum::<usize>()
    }
}

fn assign(known: &mut Vec<Slot>, paths: impl Iterator<Item = (u32, u32)> + Clone) -> Vec<Assigned> {
    for slot in known.iter_mut() {
        if slot.path != NONE && !paths.clone().any(|(path, _)| path == slot.path) {
            slot.path = NONE;
        }
    }
    let place = |(path, source)| {
        let mine = known.iter().position(|slot| slot.path == path);
        let free = || known.iter().position(|slot| slot.path == NONE);
        let at = mine.or_else(free).unwrap_or_else(|| {
            known.push(Slot {
                path,
                giver: source,
            });
            known.len() - 1
        });
        let slot = &mut known[at];
        slot.path = path;
        if slot.giver != source {
            slot.giver = NONE;
        }
        Assigned {
            id: at as u32 + 1,
            reused: slot.giver == NONE,
        }
    };
    // A path that has one keeps it: none of the others' is free to it
    paths.map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(p: &mut PathIds, paths: &[(u32, u32)]) -> Vec<u32> {
        let assigned = p.assign(7, paths.iter().copied());
        assigned.iter().map(|a| a.id).collect()
    }

    #[test]
    fn a_path_keeps_its_identifier_while_it_is_told_and_others_take_the_lowest_free_one() {
        let mut p = PathIds::default();
        assert_eq!(ids(&mut p, &[(10, 1), (20, 2), (30, 3)]), [1, 2, 3]);
        assert_eq!(ids(&mut p, &[(30, 3), (20, 2)]), [3, 2]);
        assert_eq!(p.free(7).collect::<Vec<_>>(), [(1, 1)]);
        assert_eq!(ids(&mut p, &[(40, 4), (30, 3)]), [1, 3]);
        assert_eq!(p.free(7).collect::<Vec<_>>(), [(2, 2)]);
        let previewed = p.preview(7, [(50, 5)].into_iter());
        let reused = Assigned {
            id: 1,
            reused: true,
        };
        assert_eq!(previewed, [reused]);
        assert_eq!(p.free(7).count(), 1);
        p.forget(7);
        assert_eq!(ids(&mut p, &[(50, 5)]), [1]);
    }
}
