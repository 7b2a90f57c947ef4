//! The UPDATEs of one read, a run per peer. Entries of a table dump become messages; the last one of a run stays open, so that the
//! next prefix with the same attributes joins it.

use super::field::{Field, Malformed};
use crate::wire::framer::{HEADER, UPDATE};
use crate::wire::next_hop::mp_next_hop;
use crate::wire::{code, FLAG_EXTENDED, FLAG_OPTIONAL};

/// What every speaker takes (RFC 4271 4.1); one prefix with more attributes than that has the extended size (RFC 8654).
const MESSAGE: usize = 4096;
const EXTENDED: usize = 65_535;

/// Whole UPDATE messages of one peer.
pub struct Run {
    pub peer: u32,
    pub bytes: Vec<u8>,
    pub count: usize,
}

/// One prefix of a table dump.
pub struct Route<'a> {
    pub afi: u16,
    /// Length octet and address octets.
    pub nlri: &'a [u8],
    pub path_id: Option<u32>,
}

impl Route<'_> {
    fn size(&self) -> usize {
        self.nlri.len() + self.path_id.map_or(0, |_| 4)
    }

    fn push(&self, out: &mut Vec<u8>) {
        if let Some(id) = self.path_id {
            out.extend_from_slice(&id.to_be_bytes());
        }
        out.extend_from_slice(self.nlri);
    }
}

/// The attributes of a table entry: all of them, and the next hop where MP_REACH_NLRI is to tell it.
pub struct Stored<'a> {
    reach: Option<&'a [u8]>,
    /// Some of them cannot stay as they are.
    mixed: bool,
}

impl<'a> Stored<'a> {
    /// `None`: without a next hop.
    pub fn read(field: Field<'a>, afi: u16) -> Result<Option<Self>, Malformed> {
        let mut plain = false;
        let mut stored = Stored {
            reach: None,
            mixed: false,
        };
        let mut rest = field;
        while !rest.is_empty() {
            let (kind, _, value) = attribute(&mut rest)?;
            match kind {
                code::NEXT_HOP => plain = true,
                code::MP_UNREACH => stored.mixed = true,
                code::MP_REACH => {
                    stored.mixed = true;
                    stored.reach = next_hop(value, afi);
                }
                _ => {}
            }
        }
        if afi == 1 && plain {
            stored.reach = None;
        } else if stored.reach.is_none() {
            return Ok(None);
        }
        Ok(Some(stored))
    }
}

/// RFC 6396 4.3.4: only the next hop with its length is stored. Some write the whole attribute; that begins with 0, as no length does.
fn next_hop(value: &[u8], afi: u16) -> Option<&[u8]> {
    let value = match value.first()? {
        0 => value.get(3..)?,
        _ => value,
    };
    let address = value.get(1..1 + usize::from(*value.first()?))?;
    mp_next_hop(afi, address, true).map(|_| address)
}

/// (code, the whole attribute, its value)
fn attribute<'a>(rest: &mut Field<'a>) -> Result<(u8, &'a [u8], &'a [u8]), Malformed> {
    const WHAT: &str = "attribute";
    let mut whole = *rest;
    let start = rest.at();
    let (flags, kind) = (rest.u8(WHAT)?, rest.u8(WHAT)?);
    let length = if flags & FLAG_EXTENDED != 0 {
        usize::from(rest.u16(WHAT)?)
    } else {
        usize::from(rest.u8(WHAT)?)
    };
    let value = rest.take(length, WHAT)?;
    Ok((kind, whole.take(rest.at() - start, WHAT)?, value))
}

/// The message at the end of a run that still takes prefixes.
struct Open {
    start: usize,
    /// Where its MP_REACH_NLRI starts, which is then its end.
    reach: Option<usize>,
    limit: usize,
    afi: u16,
    /// Of the entry that began it, in the recording.
    attributes: (usize, usize),
}

#[derive(Default)]
pub struct Runs {
    runs: Vec<(Run, Option<Open>)>,
    /// Peer to its place in `runs`, plus 1.
    places: Vec<u32>,
}

impl Runs {
    fn of(&mut self, peer: u32) -> &mut (Run, Option<Open>) {
        let at = peer as usize;
        if self.places.len() <= at {
            self.places.resize(at + 1, 0);
        }
        if self.places[at] == 0 {
            let run = Run {
                peer,
                bytes: Vec::new(),
                count: 0,
            };
            self.runs.push((run, None));
            self.places[at] = self.runs.len() as u32;
        }
        &mut self.runs[self.places[at] as usize - 1]
    }

    /// A message as it was recorded.
    pub fn message(&mut self, peer: u32, message: &[u8]) {
        let (run, open) = self.of(peer);
        close(run, open);
        run.bytes.extend_from_slice(message);
        run.count += 1;
    }

    /// Adds the prefix to the open message of its peer, if that has the same attributes and room.
    #[inline]
    pub fn joins(&mut self, peer: u32, route: &Route<'_>, attributes: Field<'_>) -> bool {
        let (run, Some(open)) = self.of(peer) else {
            return false;
        };
        let fits = open.afi == route.afi
            && run.bytes.len() - open.start + route.size() <= open.limit
            && attributes.same(open.attributes);
        if fits {
            route.push(&mut run.bytes);
        }
        fits
    }

    /// Begins a message; false if the attributes leave no room for the prefix.
    pub fn open(
        &mut self,
        peer: u32,
        route: &Route<'_>,
        mut field: Field<'_>,
        stored: &Stored<'_>,
    ) -> bool {
        let (run, open) = self.of(peer);
        close(run, open);
        let start = run.bytes.len();
        let attributes = field.bounds();
        let out = &mut run.bytes;
        out.extend_from_slice(&[0xff; 16]);
        out.extend_from_slice(&[0, 0, UPDATE, 0, 0, 0, 0]); // lengths follow when it closes
        if stored.mixed || stored.reach.is_some() {
            while let (false, Ok((kind, whole, _))) = (field.is_empty(), attribute(&mut field)) {
                let next_hop = kind == code::NEXT_HOP && stored.reach.is_some();
                if !matches!(kind, code::MP_REACH | code::MP_UNREACH) && !next_hop {
                    out.extend_from_slice(whole);
                }
            }
        } else {
            out.extend_from_slice(field.rest());
        }
        let attribute_end = out.len();
        if let Some(address) = stored.reach {
            out.extend_from_slice(&[FLAG_OPTIONAL | FLAG_EXTENDED, code::MP_REACH, 0, 0]);
            out.extend_from_slice(&route.afi.to_be_bytes());
            out.extend_from_slice(&[1, address.len() as u8]);
            out.extend_from_slice(address);
            out.push(0);
        }
        let length = (attribute_end - start - HEADER - 4) as u16;
        out[start + 21..start + 23].copy_from_slice(&length.to_be_bytes());
        route.push(out);
        let size = out.len() - start;
        if size > EXTENDED {
            out.truncate(start);
            return false;
        }
        *open = Some(Open {
            start,
            reach: stored.reach.map(|_| attribute_end),
            limit: if size > MESSAGE { EXTENDED } else { MESSAGE },
            afi: route.afi,
            attributes,
        });
        run.count += 1;
        true
    }

    pub fn finish(self) -> Vec<Run> {
        let runs = self.runs.into_iter().map(|(mut run, mut open)| {
            close(&mut run, &mut open);
            run
        });
        runs.filter(|run| run.count > 0).collect()
    }
}

/// Writes the lengths of a message that takes no more.
fn close(run: &mut Run, open: &mut Option<Open>) {
    let Some(open) = open.take() else { return };
    let out = &mut run.bytes;
    let size = out.len() - open.start;
    let mut put = |at: usize, n: usize| {
        out[at..at + 2].copy_from_slice(&(n as u16).to_be_bytes());
    };
    put(open.start + 16, size);
    if let Some(reach) = open.reach {
        put(open.start + 21, size - HEADER - 4);
        put(reach + 2, open.start + size - reach - 4);
    }
}
