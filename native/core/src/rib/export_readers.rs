//! Who reads what peers are told, and how far each has come: the logs keep what any of them has yet to read.

use std::sync::Arc;

use super::export::{ExportConsumer, Exports, Group};
use super::export_terms::ExportTerms;
use super::feed::{before, Pos};
use super::instance::Family;
use super::marks::Bits;
use super::stretch::{Place, Slots};
use super::table::Table;

impl Exports {
    /// The number of the group with these terms, a new one if there is none.
    pub(super) fn group(&mut self, terms: ExportTerms, instance: usize) -> usize {
        let same = |g: &Group| g.terms == terms && g.instance == instance;
        if let Some(at) = self
            .groups
            .iter()
            .position(|g| g.as_ref().is_some_and(same))
        {
            return at;
        }
        let at = match self.groups.iter().position(Option::is_none) {
            Some(at) => at,
            None => {
                self.groups.push(None);
                self.groups.len() - 1
            }
        };
        self.groups[at] = Some(Group::new(terms, instance));
        at
    }

    /// Where the group's newest initial table starts, while its first stretch can still be shared: the member that reads it sees to it
    /// that the log keeps all that changed since.
    pub(super) fn shared_start(&self, group: usize) -> Option<Place> {
        let members = self.consumers.iter().rev().flatten();
        let mut reading = members.filter(|c| c.group == group && !c.unread);
        let newest = reading.find(|c| c.place.snapshot.is_some())?;
        let first = Place {
            snapshot: newest.place.snapshot.map(|s| Slots { next: 0, ..s }),
            ..newest.place
        };
        let kept = &self.groups[group].as_ref()?.kept;
        kept.iter().any(|k| k.from == first).then_some(first)
    }

    /// The initial table of one begins here, and that of others of its group which have not read either: they share it if they read
    /// while its first stretch is kept, else theirs is the table as it is then.
    pub(super) fn begin(&mut self, c: &mut ExportConsumer, place: Place) {
        let group = c.group;
        let others = self.consumers.iter_mut().flatten();
        let unread = others.filter(|other| other.unread && other.group == group);
        unread.chain([c]).for_each(|c| c.place = place);
    }

    /// Where the readers of a table's log stand.
    pub(super) fn positions(&mut self, instance: usize, afi: u16) -> Vec<&mut Pos> {
        let readers = self.readers(instance, afi);
        readers.map(|c| &mut c.place.pos).collect()
    }

    fn readers(
        &mut self,
        instance: usize,
        afi: u16,
    ) -> impl Iterator<Item = &mut ExportConsumer> + '_ {
        let groups = &self.groups;
        self.consumers.iter_mut().flatten().filter(move |c| {
            let group = groups[c.group].as_ref();
            group.is_some_and(|g| g.reads(instance, afi))
        })
    }

    /// Where the readers of a table stand in its log of what was installed.
    pub(super) fn installed_read(
        &mut self,
        instance: usize,
        afi: u16,
    ) -> impl Iterator<Item = Pos> + '_ {
        self.readers(instance, afi).map(|c| c.place.installed)
    }

    /// Those that have not read the log of what was installed to its end read the whole table instead.
    pub(super) fn read_again<A: Family>(&mut self, instance: usize, t: &Table<A>) {
        let tail = t.answered.log.tail();
        for c in self.readers(instance, A::AFI) {
            if c.place.installed != tail {
                c.place.snapshot = Some(Slots::all(t));
                c.place.installed = tail;
            }
        }
    }

    /// What groups noted and keep.
    pub(super) fn bytes(&self) -> usize {
        let group = |g: &Group| {
            let kept = g.kept.iter().map(|c| c.encoding.bytes());
            g.known.told.bytes() + g.known.ids.bytes() + kept.sum::<usize>()
        };
        self.groups.iter().flatten().map(group).sum()
    }

    /// Log positions mean something else now.
    pub(super) fn forget_stretches(&mut self) {
        for g in self.groups.iter_mut().flatten() {
            g.kept.clear();
        }
    }

    /// These slots of a table hold other prefixes now, or none.
    pub(super) fn forget_slots(&mut self, instance: usize, afi: u16, slots: &[u32]) {
        let groups = self.groups.iter_mut().flatten();
        for g in groups.filter(|g| g.reads(instance, afi)) {
            for &i in slots {
                g.known.told.set(i, false);
                g.known.ids.forget(i);
            }
        }
    }

    /// Whether a peer may know of this slot and has not read the log to this position.
    pub(super) fn await_record(&self, instance: usize, afi: u16, slot: u32, pos: Pos) -> bool {
        self.consumers.iter().flatten().any(|c| {
            let group = self.groups[c.group].as_ref();
            let told = |g: &Group| match &c.stalled {
                Some(told) => told.get(slot),
                None => g.known.told.get(slot),
            };
            group.is_some_and(|g| g.reads(instance, afi) && told(g)) && !before(pos, c.place.pos)
        })
    }

    /// From here on a peer that does not read knows no more than its group was told so far, whatever the others read.
    pub(super) fn note_stalled(&mut self) {
        for (at, g) in self.groups.iter().enumerate() {
            let Some(g) = g else { continue };
            let members = self.consumers.iter_mut().flatten();
            let mut told: Option<Arc<Bits>> = None;
            for c in members.filter(|c| c.group == at && c.stalled.is_none()) {
                let told = told.get_or_insert_with(|| Arc::new(g.known.told.clone()));
                c.stalled = Some(Arc::clone(told));
            }
        }
    }
}
