//! One stretch of the log, sorted into messages: prefixes by attribute set and source, withdrawals by whom they are for.

use super::core::Core;
use super::table::Table;
use super::update_encode::{announce, encode_attributes, withdraw, ExportTerms};
use crate::prefix::{Addr, Ip, Prefix};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum For {
    /// Everybody but this source: it gave the route.
    AllBut(u32),
    /// This source alone: what it now gives itself it may still have from us.
    Only(u32),
}

/// Part of a stretch's bytes, and who gets it.
pub struct Segment {
    pub who: For,
    pub start: usize,
    pub end: usize,
}

/// Prefixes that share a message: same attribute set, same next hop, same source.
struct Bucket<A> {
    info: u32,
    next_hop: Ip,
    source: u32,
    prefixes: Vec<Prefix<A>>,
}

/// A stretch in the making.
pub struct Rows<A> {
    buckets: Vec<Bucket<A>>,
    index: std::collections::HashMap<(u32, u32), usize, foldhash::fast::RandomState>,
    last: Option<(u32, u32, usize)>,
    withdrawals: Vec<(For, Vec<Prefix<A>>)>,
}

impl<A> Default for Rows<A> {
    fn default() -> Self {
        Rows {
            buckets: Vec::new(),
            index: Default::default(),
            last: None,
            withdrawals: Vec::new(),
        }
    }
}

impl<A: Addr> Rows<A> {
    #[inline]
    pub fn announce(&mut self, t: &Table<A>, prefix: Prefix<A>, path: u32, next_hop: Ip) {
        let p = &t.paths[path as usize];
        let at = match self.last {
            Some((info, source, at)) if info == p.info && source == p.source => at,
            _ => {
                let buckets = &mut self.buckets;
                *self.index.entry((p.info, p.source)).or_insert_with(|| {
                    buckets.push(Bucket {
                        info: p.info,
                        next_hop,
                        source: p.source,
                        prefixes: Vec::new(),
                    });
                    buckets.len() - 1
                })
            }
        };
        self.last = Some((p.info, p.source, at));
        self.buckets[at].prefixes.push(prefix);
    }

    pub fn withdraw(&mut self, prefix: Prefix<A>, who: For) {
        match self.withdrawals.iter_mut().find(|w| w.0 == who) {
            Some(w) => w.1.push(prefix),
            None => self.withdrawals.push((who, vec![prefix])),
        }
    }

    pub fn write(mut self, core: &Core, terms: &ExportTerms) -> (Vec<u8>, Vec<Segment>) {
        let mut buf = Vec::new();
        let mut segments: Vec<Segment> = Vec::new();
        let mut attributes = Vec::new();
        let mut unfit = Vec::new();
        for b in &self.buckets {
            attributes.clear();
            encode_attributes(terms, &core.infos[b.info], b.next_hop, &mut attributes);
            let start = buf.len();
            if !announce(terms, &attributes, b.next_hop, &b.prefixes, &mut buf) {
                // It cannot be told in a message of this size: what was told before must go
                unfit.push((For::AllBut(b.source), b.prefixes.clone()));
            }
            add_segment(&mut segments, For::AllBut(b.source), start, buf.len());
        }
        self.withdrawals.extend(unfit);
        for (who, prefixes) in &self.withdrawals {
            let start = buf.len();
            withdraw(terms, prefixes, &mut buf);
            add_segment(&mut segments, *who, start, buf.len());
        }
        (buf, segments)
    }
}

fn add_segment(segments: &mut Vec<Segment>, who: For, start: usize, end: usize) {
    if start == end {
        return;
    }
    match segments.last_mut() {
        Some(s) if s.who == who && s.end == start => s.end = end,
        _ => segments.push(Segment { who, start, end }),
    }
}
