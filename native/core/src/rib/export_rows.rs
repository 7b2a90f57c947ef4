//! One stretch of the log as messages: prefixes by attribute set and source, withdrawals by whom they are for, and what each peer of
//! the group gets of it.

use std::collections::HashMap;

use super::attributes_encode::encode_attributes;
use super::core::Core;
use super::export_terms::{ExportTerms, NextHop, Ourselves, Told};
use super::nlri::{List, Nlri};
use super::table::{Path, Table};
use super::update_encode::{announce, withdraw, Encoded};
use crate::prefix::{Addr, Prefix};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum For {
    /// Everybody but this source: it gave the route.
    AllBut(u32),
    /// This source alone: what it now gives itself it may still have from us.
    Only(u32),
}

impl For {
    fn is(self, peer: u32) -> bool {
        match self {
            For::AllBut(source) => source != peer,
            For::Only(source) => source == peer,
        }
    }
}

/// Part of a stretch's bytes, and who gets it.
struct Segment {
    who: For,
    start: usize,
    end: usize,
    messages: usize,
}

/// The messages of a stretch, for all peers of a group at once.
#[derive(Default)]
pub struct Encoding {
    buf: Vec<u8>,
    segments: Vec<Segment>,
    /// Where in `buf` a peer's own "ourselves" goes, ascending, or a third party in its place.
    ours: Vec<(usize, NextHop)>,
}

impl Encoding {
    pub fn bytes(&self) -> usize {
        self.buf.capacity()
            + self.segments.capacity() * size_of::<Segment>()
            + self.ours.capacity() * size_of::<(usize, NextHop)>()
    }

    /// What one peer gets, with `ourselves` as next hop where that is us; and how many messages it is.
    pub fn for_peer(&self, peer: u32, ourselves: &Ourselves) -> (Vec<u8>, usize) {
        let mut out = Vec::with_capacity(self.buf.len());
        let mut messages = 0;
        let mut ours = self.ours.iter().copied().peekable();
        for s in &self.segments {
            let wanted = s.who.is(peer);
            let to = out.len();
            if wanted {
                out.extend_from_slice(&self.buf[s.start..s.end]);
                messages += s.messages;
            }
            while let Some((at, next_hop)) = ours.next_if(|place| place.0 < s.end) {
                if wanted {
                    ourselves.write(next_hop, &mut out[to + at - s.start..]);
                }
            }
        }
        (out, messages)
    }

    /// The same for the only peer of its group.
    pub fn into_peer(mut self, peer: u32, ourselves: &Ourselves) -> (Vec<u8>, usize) {
        if !self.segments.iter().all(|s| s.who.is(peer)) {
            return self.for_peer(peer, ourselves);
        }
        for (at, next_hop) in self.ours {
            ourselves.write(next_hop, &mut self.buf[at..]);
        }
        let messages = self.segments.iter().map(|s| s.messages);
        (self.buf, messages.sum())
    }

    /// Files what was written since `start`.
    fn close(&mut self, who: For, start: usize, messages: usize) {
        let end = self.buf.len();
        match self.segments.last_mut() {
            _ if messages == 0 => {}
            Some(s) if s.who == who && s.end == start => {
                s.end = end;
                s.messages += messages;
            }
            _ => self.segments.push(Segment {
                who,
                start,
                end,
                messages,
            }),
        }
    }
}

/// Octets of most messages besides their prefixes.
const USUAL: usize = 128;

/// In tables as there are.
const PREFIXES_OF_A_SET: usize = 4;

/// Attribute set, source, ORIGIN and whether LLGR_STALE is added.
type BucketKey = (u32, u32, u8, bool);

/// Prefixes that share a message: same attribute set told in the same way, same source.
struct Bucket {
    info: u32,
    source: u32,
    told: Told,
    first: usize,
    last: usize,
}

/// Prefixes of one bucket that came one behind the other: up to where the next run starts.
struct Run {
    start: usize,
    /// Of the same bucket.
    next: Option<usize>,
}

/// A stretch in the making.
pub struct Rows<A> {
    told: List<A>,
    runs: Vec<Run>,
    buckets: Vec<Bucket>,
    /// Whose the last run is.
    filling: usize,
    index: HashMap<BucketKey, usize, foldhash::fast::RandomState>,
    last: Option<(BucketKey, usize)>,
    /// The verdict on paths with this attribute set of this source: their bucket, if they are told.
    verdict: Option<(u32, u32, Option<usize>)>,
    withdrawals: Vec<(For, List<A>)>,
    /// Slots of what is left out until the boxes have it.
    pub held: Vec<u32>,
}

impl<A: Addr> Rows<A> {
    /// With room for so many prefixes.
    pub fn new(room: usize) -> Self {
        let buckets = room / PREFIXES_OF_A_SET;
        Rows {
            told: List::new(room),
            runs: Vec::with_capacity(buckets),
            buckets: Vec::with_capacity(buckets),
            filling: usize::MAX,
            index: HashMap::with_capacity_and_hasher(buckets, Default::default()),
            last: None,
            verdict: None,
            withdrawals: Vec::new(),
            held: Vec::new(),
        }
    }

    #[inline]
    pub fn announce(&mut self, t: &Table<A>, prefix: Prefix<A>, path: u32, told: Told) {
        let at = self.bucket(t, path, told);
        self.turn_to(at).push(prefix);
    }

    /// What was remembered of such a path, for another prefix: whether it is told.
    #[inline]
    pub fn repeat(&mut self, p: &Path, prefix: Prefix<A>) -> Option<bool> {
        let (info, source, bucket) = self.verdict?;
        if (info, source) != (p.info, p.source) {
            return None;
        }
        if let Some(at) = bucket {
            self.turn_to(at).push(prefix);
        }
        Some(bucket.is_some())
    }

    /// The verdict on this path, announced just now if it was `told`, is that on all with its attribute set and source.
    pub fn remember(&mut self, p: &Path, told: bool) {
        let bucket = self.last.filter(|_| told).map(|(_, at)| at);
        self.verdict = Some((p.info, p.source, bucket));
    }

    /// `announce`, to peers that take several paths of a prefix.
    pub fn announce_path(
        &mut self,
        t: &Table<A>,
        prefix: Prefix<A>,
        path: u32,
        told: Told,
        id: u32,
    ) {
        let at = self.bucket(t, path, told);
        self.turn_to(at).push_path(prefix, id);
    }

    /// Where the next prefix of a bucket goes.
    #[inline]
    fn turn_to(&mut self, bucket: usize) -> &mut List<A> {
        if self.filling != bucket {
            self.start_run(bucket);
        }
        &mut self.told
    }

    fn start_run(&mut self, bucket: usize) {
        let run = self.runs.len();
        let b = &mut self.buckets[bucket];
        match self.runs.get_mut(b.last) {
            Some(last) => last.next = Some(run),
            None => b.first = run,
        }
        b.last = run;
        self.runs.push(Run {
            start: self.told.count(),
            next: None,
        });
        self.filling = bucket;
    }

    fn run(&self, run: usize) -> Nlri<'_, A> {
        let next = self.runs.get(run + 1);
        let end = next.map_or(self.told.count(), |next| next.start);
        self.told.part(self.runs[run].start..end)
    }

    #[inline]
    fn bucket(&mut self, t: &Table<A>, path: u32, told: Told) -> usize {
        let p = &t.paths[path as usize];
        // The rest of `told` follows from the info
        let key = (p.info, p.source, told.origin, told.stale);
        let at = match self.last {
            Some((last, at)) if last == key => at,
            _ => {
                let buckets = &mut self.buckets;
                *self.index.entry(key).or_insert_with(|| {
                    buckets.push(Bucket {
                        info: p.info,
                        source: p.source,
                        told,
                        first: usize::MAX,
                        last: usize::MAX,
                    });
                    buckets.len() - 1
                })
            }
        };
        self.last = Some((key, at));
        at
    }

    pub fn withdraw(&mut self, prefix: Prefix<A>, who: For) {
        self.withdrawn(who).push(prefix);
    }

    pub fn withdraw_path(&mut self, prefix: Prefix<A>, id: u32, who: For) {
        self.withdrawn(who).push_path(prefix, id);
    }

    fn withdrawn(&mut self, who: For) -> &mut List<A> {
        let known = self.withdrawals.iter().position(|w| w.0 == who);
        let at = known.unwrap_or_else(|| {
            self.withdrawals.push((who, List::default()));
            self.withdrawals.len() - 1
        });
        &mut self.withdrawals[at].1
    }

    /// All prefixes of a bucket, in the order in which they came.
    fn gather(&self, first: usize, into: &mut List<A>) {
        into.clear();
        let mut at = Some(first);
        while let Some(run) = at {
            into.extend(self.run(run));
            at = self.runs[run].next;
        }
    }

    pub fn write(mut self, core: &Core, terms: &ExportTerms) -> Encoding {
        let mut out = Encoding::default();
        out.buf
            .reserve(self.told.count() * (1 + A::BYTES) + self.buckets.len() * USUAL);
        out.ours.reserve(self.buckets.len());
        let mut withdrawals = std::mem::take(&mut self.withdrawals);
        let mut attributes = Vec::new();
        let mut gathered = List::default();
        for b in &self.buckets {
            attributes.clear();
            let ours = encode_attributes(terms, &core.infos[b.info], &b.told, &mut attributes);
            let encoded = Encoded {
                attributes: &attributes,
                ours,
                next_hop: b.told.next_hop,
            };
            let start = out.buf.len();
            let who = For::AllBut(b.source);
            let prefixes = if b.first == b.last {
                self.run(b.first)
            } else {
                self.gather(b.first, &mut gathered);
                gathered.all()
            };
            let n = announce(terms, &encoded, prefixes, &mut out.buf, &mut out.ours);
            out.close(who, start, n);
            if n == 0 {
                // It cannot be told in a message of this size: what was told before must go
                let mut untold = List::default();
                untold.extend(prefixes);
                withdrawals.push((who, untold));
            }
        }
        for (who, prefixes) in &withdrawals {
            let start = out.buf.len();
            let n = withdraw(terms, prefixes.all(), &mut out.buf);
            out.close(*who, start, n);
        }
        out
    }
}
