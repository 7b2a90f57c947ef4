//! MRT recordings (RFC 6396, RFC 8050) as runs of UPDATE messages, peer by peer: recorded messages as they are, table dumps as the
//! UPDATEs that would have said the same. Input is anybody's file: every read is bounded and a fault names its offset.

mod field;
mod runs;
mod table_dump;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use foldhash::fast::RandomState;

use self::field::Field;
pub use self::field::Malformed;
pub use self::runs::Run;
use self::runs::Runs;
use self::table_dump::Indexed;
use super::framer::{HEADER, OPEN, UPDATE};
use crate::prefix::Ip;

/// MRT types (RFC 6396 4).
const TABLE_DUMP: u16 = 12;
const TABLE_DUMP_V2: u16 = 13;
const BGP4MP: u16 = 16;
const BGP4MP_ET: u16 = 17;

/// Who sent UPDATEs and how they are to be read. The same speaker recorded in two ways is two of these.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Peer {
    pub address: Ip,
    pub asn: u32,
    /// Known from a table dump, or from an OPEN recorded before.
    pub router_id: Option<u32>,
    /// The AS of the other end of its session; table dumps do not tell.
    pub local_asn: Option<u32>,
    pub four_octet_as: bool,
    pub add_path: bool,
}

/// Reads one recording from its start to its end; the bytes stay with the caller, the same for each call.
#[derive(Default)]
pub struct Reader {
    at: usize,
    /// In order of appearance; a peer is here once an UPDATE of it was read.
    pub peers: Vec<Peer>,
    /// Records of types that are not read, and table entries without a next hop.
    pub skipped: u64,
    rows: HashMap<Peer, u32, RandomState>,
    router_ids: HashMap<(Ip, u32), u32, RandomState>,
    /// The last PEER_INDEX_TABLE.
    index: Vec<Indexed>,
}

impl Reader {
    /// UPDATEs of up to `max_records` more records, one run per peer in which its order is kept; `None` at the end. A fault is told
    /// once everything before its record has been handed out, and again at each further call.
    pub fn read(&mut self, data: &[u8], max_records: usize) -> Result<Option<Vec<Run>>, Malformed> {
        if self.at >= data.len() {
            return Ok(None);
        }
        let mut out = Runs::default();
        for done in 0..max_records {
            if self.at >= data.len() {
                break;
            }
            match self.record(data, &mut out) {
                Ok(next) => self.at = next,
                Err(fault) if done == 0 => return Err(fault),
                Err(_) => break,
            }
        }
        Ok(Some(out.finish()))
    }

    /// RFC 6396 2: the common header and what follows it; where the next record starts.
    fn record(&mut self, data: &[u8], out: &mut Runs) -> Result<usize, Malformed> {
        let mut header = Field::new(data, self.at, data.len());
        header.skip(4, "record header")?; // time stamp
        let (kind, subtype) = (header.u16("record header")?, header.u16("record header")?);
        let length = header.u32("record header")? as usize;
        let mut body = header.part(length, "record")?;
        match (kind, subtype) {
            (TABLE_DUMP, 1 | 2) => self.table_dump(body, subtype, out)?,
            (TABLE_DUMP_V2, 1) => self.peer_index_table(body)?,
            (TABLE_DUMP_V2, 2 | 8) => self.rib(body, 1, subtype == 8, out)?,
            (TABLE_DUMP_V2, 4 | 10) => self.rib(body, 2, subtype == 10, out)?,
            (BGP4MP, 1 | 4 | 6..=11) => self.message(body, subtype, out)?,
            (BGP4MP_ET, 1 | 4 | 6..=11) => {
                body.skip(4, "microseconds")?; // RFC 6396 3
                self.message(body, subtype, out)?;
            }
            _ => self.skipped += 1,
        }
        Ok(header.at())
    }

    /// RFC 6396 4.4.2 to 4.4.6 and RFC 8050 3: one BGP message. In the LOCAL subtypes the recorder itself sent it.
    fn message(&mut self, mut f: Field<'_>, subtype: u16, out: &mut Runs) -> Result<(), Malformed> {
        let four_octet_as = matches!(subtype, 4 | 7 | 9 | 11);
        let mut asns = [0; 2];
        for asn in &mut asns {
            *asn = if four_octet_as {
                f.u32("AS number")?
            } else {
                u32::from(f.u16("AS number")?)
            };
        }
        f.skip(2, "interface index")?;
        let octets = match f.u16("address family")? {
            1 => 4,
            2 => 16,
            _ => {
                self.skipped += 1;
                return Ok(());
            }
        };
        let peer = Ip::from_bytes(f.take(octets, "peer address")?);
        let local = Ip::from_bytes(f.take(octets, "local address")?);
        let start = f.at();
        let message = f.rest();
        let whole = message.len() >= HEADER
            && message[..16] == [0xff; 16]
            && usize::from(u16::from_be_bytes([message[16], message[17]])) == message.len();
        if !whole {
            return Err(Malformed::at(start, "BGP message"));
        }
        let (sender, asn, other) = if matches!(subtype, 6 | 7 | 10 | 11) {
            (local, asns[1], asns[0])
        } else {
            (peer, asns[0], asns[1])
        };
        match message[18] {
            UPDATE => {
                let row = self.row(Peer {
                    address: sender,
                    asn,
                    router_id: self.router_ids.get(&(sender, asn)).copied(),
                    local_asn: Some(other),
                    four_octet_as,
                    add_path: matches!(subtype, 8..=11),
                });
                out.message(row, message);
            }
            OPEN if message.len() >= HEADER + 9 => {
                let id = &message[HEADER + 5..HEADER + 9]; // RFC 4271 4.2
                let id = u32::from_be_bytes([id[0], id[1], id[2], id[3]]);
                self.router_ids.insert((sender, asn), id);
            }
            _ => {}
        }
        Ok(())
    }

    /// The number of a peer, a new one if it was not met before.
    fn row(&mut self, peer: Peer) -> u32 {
        *self.rows.entry(peer).or_insert_with(|| {
            self.peers.push(peer);
            (self.peers.len() - 1) as u32
        })
    }
}
