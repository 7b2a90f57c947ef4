//! Table dumps of both versions (RFC 6396 4.2, 4.3; RFC 8050 4): who the peers are, and one prefix after the other with what each
//! peer said of it.

use super::field::{Field, Malformed};
use super::runs::{Route, Runs, Stored};
use super::{Peer, Reader};
use crate::prefix::Ip;

/// A peer of a PEER_INDEX_TABLE with its numbers in `Reader::peers`, without and with path identifiers, once it has them.
pub struct Indexed {
    address: Ip,
    asn: u32,
    router_id: u32,
    rows: [Option<u32>; 2],
}

fn octets(afi: u16) -> usize {
    if afi == 1 {
        4
    } else {
        16
    }
}

impl Reader {
    /// RFC 6396 4.3.1.
    pub(super) fn peer_index_table(&mut self, mut f: Field<'_>) -> Result<(), Malformed> {
        const WHAT: &str = "PEER_INDEX_TABLE";
        f.skip(4, WHAT)?; // the collector's own identifier
        let name = usize::from(f.u16(WHAT)?);
        f.skip(name, WHAT)?;
        let count = f.u16(WHAT)?;
        let mut index = Vec::new();
        for _ in 0..count {
            let kind = f.u8(WHAT)?;
            let router_id = f.u32(WHAT)?;
            let address = Ip::from_bytes(f.take(octets(1 + u16::from(kind & 1)), WHAT)?);
            let asn = if kind & 2 != 0 {
                f.u32(WHAT)?
            } else {
                u32::from(f.u16(WHAT)?)
            };
            index.push(Indexed {
                address,
                asn,
                router_id,
                rows: [None; 2],
            });
        }
        self.index = index;
        Ok(())
    }

    /// RFC 6396 4.3.2, 4.3.4; RFC 8050 4.1: RIB_IPV4_UNICAST, RIB_IPV6_UNICAST and their forms with path identifiers.
    pub(super) fn rib(
        &mut self,
        mut f: Field<'_>,
        afi: u16,
        add_path: bool,
        out: &mut Runs,
    ) -> Result<(), Malformed> {
        f.skip(4, "sequence number")?;
        let prefix = f.at();
        let length = usize::from(f.u8("prefix")?);
        if length > 8 * octets(afi) {
            return Err(Malformed::at(prefix, "prefix"));
        }
        let mut nlri = [0; 17];
        let nlri_len = 1 + length.div_ceil(8);
        nlri[0] = length as u8;
        nlri[1..nlri_len].copy_from_slice(f.take(nlri_len - 1, "prefix")?);
        let count = f.u16("entry count")?;
        for _ in 0..count {
            let at = f.at();
            let peer = usize::from(f.u16("peer index")?);
            f.skip(4, "originated time")?;
            let path_id = if add_path {
                Some(f.u32("path identifier")?)
            } else {
                None
            };
            let attributes = usize::from(f.u16("attribute length")?);
            let attributes = f.part(attributes, "attributes")?;
            let row = self
                .indexed(peer, add_path)
                .ok_or(Malformed::at(at, "peer index"))?;
            let route = Route {
                afi,
                nlri: &nlri[..nlri_len],
                path_id,
            };
            self.tell(row, route, attributes, out)?;
        }
        if f.is_empty() {
            Ok(())
        } else {
            Err(Malformed::at(f.at(), "rest of a RIB record"))
        }
    }

    /// RFC 6396 4.2: AS numbers of two octets, one peer's view of one prefix.
    pub(super) fn table_dump(
        &mut self,
        mut f: Field<'_>,
        afi: u16,
        out: &mut Runs,
    ) -> Result<(), Malformed> {
        f.skip(4, "view and sequence number")?;
        let address = f.take(octets(afi), "prefix")?;
        let at = f.at();
        let length = usize::from(f.u8("prefix length")?);
        if length > 8 * octets(afi) {
            return Err(Malformed::at(at, "prefix length"));
        }
        f.skip(5, "status and originated time")?;
        let peer = Ip::from_bytes(f.take(octets(afi), "peer address")?);
        let asn = u32::from(f.u16("peer AS")?);
        let attributes = usize::from(f.u16("attribute length")?);
        let attributes = f.part(attributes, "attributes")?;
        let mut nlri = vec![length as u8];
        nlri.extend_from_slice(&address[..length.div_ceil(8)]);
        let row = self.row(Peer {
            address: peer,
            asn,
            router_id: None,
            local_asn: None,
            four_octet_as: false,
            add_path: false,
        });
        let route = Route {
            afi,
            nlri: &nlri,
            path_id: None,
        };
        self.tell(row, route, attributes, out)
    }

    /// Peers of a table are told apart by their place in it, whatever they have in common.
    fn indexed(&mut self, at: usize, add_path: bool) -> Option<u32> {
        let peer = self.index.get_mut(at)?;
        let row = &mut peer.rows[usize::from(add_path)];
        if row.is_none() {
            *row = Some(self.peers.len() as u32);
            self.peers.push(Peer {
                address: peer.address,
                asn: peer.asn,
                router_id: Some(peer.router_id),
                local_asn: None,
                four_octet_as: true, // RFC 6396 4.3.4, however the session was
                add_path,
            });
        }
        *row
    }

    #[inline]
    fn tell(
        &mut self,
        row: u32,
        route: Route<'_>,
        attributes: Field<'_>,
        out: &mut Runs,
    ) -> Result<(), Malformed> {
        if out.joins(row, &route, attributes) {
            return Ok(());
        }
        match Stored::read(attributes, route.afi)? {
            Some(stored) if out.open(row, &route, attributes, &stored) => {}
            _ => self.skipped += 1,
        }
        Ok(())
    }
}
