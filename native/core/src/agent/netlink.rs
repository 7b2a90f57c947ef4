//! rtnetlink bytes: messages for nexthop objects and routes, and the parsing of verdicts and dumps. Host byte order, as netlink is.
//! Constants from linux/netlink.h, rtnetlink.h and nexthop.h.
use super::hop::Hop;
use super::Family;

pub const NLMSG_ERROR: u16 = 2;
pub const NLMSG_DONE: u16 = 3;
pub const RTM_NEWROUTE: u16 = 24;
pub const RTM_DELROUTE: u16 = 25;
pub const RTM_NEWNEXTHOP: u16 = 104;
pub const RTM_DELNEXTHOP: u16 = 105;

pub const NLM_F_REQUEST: u16 = 0x1;
pub const NLM_F_ACK: u16 = 0x4;
pub const NLM_F_REPLACE: u16 = 0x100;
pub const NLM_F_CREATE: u16 = 0x400;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_CAPPED: u16 = 0x100;
const NLM_F_ACK_TLVS: u16 = 0x200;
const NLMSGERR_ATTR_MSG: u16 = 1;

pub const RTA_DST: u16 = 1;
pub const RTA_PRIORITY: u16 = 6;
pub const RTA_TABLE: u16 = 15;
pub const RTA_NH_ID: u16 = 30;
pub const NHA_ID: u16 = 1;
pub const NHA_GROUP: u16 = 2;
pub const NHA_BLACKHOLE: u16 = 4;
pub const NHA_OIF: u16 = 5;
pub const NHA_GATEWAY: u16 = 6;
const NLA_TYPE_MASK: u16 = 0x3fff;

pub const RTN_UNICAST: u8 = 1;
pub const RTN_UNREACHABLE: u8 = 7;
const RT_SCOPE_NOWHERE: u8 = 255;
pub const RTNH_F_ONLINK: u32 = 4;
pub const RTM_F_CLONED: u32 = 0x200;

pub const HEADER: usize = 16;
pub const RTMSG: usize = 12;
pub const NHMSG: usize = 8;

/// A run of messages with consecutive sequence numbers; only the last one asks for an acknowledgement.
pub(super) struct Writer {
    pub bytes: Vec<u8>,
    next: u32,
    last: usize,
}

impl Writer {
    pub fn new(first: u32, capacity: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
            next: first,
            last: 0,
        }
    }

    fn begin(&mut self, kind: u16, flags: u16) {
        self.last = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes
            .extend_from_slice(&(NLM_F_REQUEST | flags).to_ne_bytes());
        self.bytes.extend_from_slice(&self.next.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        self.next = self.next.wrapping_add(1);
    }

    fn end(&mut self) {
        let length = (self.bytes.len() - self.last) as u32;
        self.bytes[self.last..self.last + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// A singleton. Without `create` it fails (ENOENT) where the kernel has meanwhile deleted it, and taken it out of its groups.
    pub fn nexthop(&mut self, id: u32, create: bool, protocol: u8, hop: &Hop) {
        let create = if create { NLM_F_CREATE } else { 0 };
        self.begin(RTM_NEWNEXTHOP, create | NLM_F_REPLACE);
        self.bytes
            .extend_from_slice(&[hop.family.af(), 0, protocol, 0]);
        self.bytes.extend_from_slice(&hop.flags.to_ne_bytes());
        attribute(&mut self.bytes, NHA_ID, &id.to_ne_bytes());
        if hop.ifindex == 0 {
            attribute(&mut self.bytes, NHA_BLACKHOLE, &[]);
        } else {
            attribute(&mut self.bytes, NHA_OIF, &hop.ifindex.to_ne_bytes());
            if let Some(gateway) = &hop.gateway {
                attribute(&mut self.bytes, NHA_GATEWAY, gateway.bytes());
            }
        }
        self.end();
    }

    /// Without `create` it fails (ENOENT) where the kernel has meanwhile deleted the group, and with it the routes on it.
    pub fn group(
        &mut self,
        id: u32,
        create: bool,
        protocol: u8,
        members: impl Iterator<Item = (u32, u16)>,
    ) {
        let create = if create { NLM_F_CREATE } else { 0 };
        self.begin(RTM_NEWNEXTHOP, create | NLM_F_REPLACE);
        self.bytes
            .extend_from_slice(&[0, 0, protocol, 0, 0, 0, 0, 0]);
        attribute(&mut self.bytes, NHA_ID, &id.to_ne_bytes());
        let mut packed = Vec::new();
        for (nexthop, weight) in members {
            // struct nexthop_grp: the weight less one, its high byte (0 before Linux 6.12) behind the low one
            let [low, high] = weight.saturating_sub(1).to_le_bytes();
            packed.extend_from_slice(&nexthop.to_ne_bytes());
            packed.extend_from_slice(&[low, high, 0, 0]);
        }
        attribute(&mut self.bytes, NHA_GROUP, &packed);
        self.end();
    }

    /// The kernel wants every other field of the header zero here.
    pub fn delete_nexthop(&mut self, id: u32) {
        self.begin(RTM_DELNEXTHOP, 0);
        self.bytes.extend_from_slice(&[0; NHMSG]);
        attribute(&mut self.bytes, NHA_ID, &id.to_ne_bytes());
        self.end();
    }

    #[inline]
    pub fn route<const N: usize>(
        &mut self,
        shape: &RouteShape,
        addr: &[u8; N],
        len: u8,
        nexthop: Option<u32>,
    ) {
        self.last = self.bytes.len();
        let start = self.last;
        self.bytes.extend_from_slice(&shape.0);
        let message = &mut self.bytes[start..];
        message[8..12].copy_from_slice(&self.next.to_ne_bytes());
        message[HEADER + 1] = len;
        message[HEADER + RTMSG + 4..HEADER + RTMSG + 4 + N].copy_from_slice(addr);
        if let Some(id) = nexthop {
            let end = message.len();
            message[end - 4..].copy_from_slice(&id.to_ne_bytes());
        }
        self.next = self.next.wrapping_add(1);
    }

    pub fn finish(mut self) -> Vec<u8> {
        if let Some(flags) = self.bytes.get_mut(self.last + 6..self.last + 8) {
            let asked = u16::from_ne_bytes([flags[0], flags[1]]) | NLM_F_ACK;
            flags.copy_from_slice(&asked.to_ne_bytes());
        }
        self.bytes
    }
}

fn attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend_from_slice(&(4 + value.len() as u16).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// A route message with blanks for sequence, length, prefix and nexthop (its last four bytes), so that one costs a copy.
#[derive(Debug)]
pub(super) struct RouteShape(Vec<u8>);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Nexthop,
    Unreachable,
    Delete,
}

impl RouteShape {
    pub fn new(family: Family, verb: Verb, table: u32, protocol: u8, metric: u32) -> Self {
        let (kind, flags, scope, rtn) = match verb {
            Verb::Nexthop => (RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, 0, RTN_UNICAST),
            Verb::Unreachable => (
                RTM_NEWROUTE,
                NLM_F_CREATE | NLM_F_REPLACE,
                0,
                RTN_UNREACHABLE,
            ),
            // any scope and type; never RTA_NH_ID, which would have to match (a stale one gives ESRCH and leaves the route)
            Verb::Delete => (RTM_DELROUTE, 0, RT_SCOPE_NOWHERE, 0),
        };
        let mut writer = Writer::new(0, 64);
        writer.begin(kind, flags);
        let low = u8::try_from(table).unwrap_or(0);
        writer.bytes.extend_from_slice(&[
            family.af(),
            0,
            0,
            0,
            low,
            protocol,
            scope,
            rtn,
            0,
            0,
            0,
            0,
        ]);
        attribute(&mut writer.bytes, RTA_DST, &[0; 16][..family.width()]);
        attribute(&mut writer.bytes, RTA_PRIORITY, &metric.to_ne_bytes());
        if table > 255 {
            attribute(&mut writer.bytes, RTA_TABLE, &table.to_ne_bytes());
        }
        if verb == Verb::Nexthop {
            attribute(&mut writer.bytes, RTA_NH_ID, &[0; 4]);
        }
        writer.end();
        Self(writer.bytes)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub struct Message<'a> {
    pub kind: u16,
    pub flags: u16,
    pub seq: u32,
    pub body: &'a [u8],
}

/// Whole messages of a buffer; ends at the first that is cut or lies about its length.
pub fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = u32_at(bytes, 0)? as usize;
        let body = bytes.get(HEADER..length)?;
        let message = Message {
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            seq: u32_at(bytes, 8)?,
            body,
        };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(message)
    })
}

/// What one read of a dump held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DumpPart {
    /// Bytes of whole messages that belong to it, from the start.
    pub end: usize,
    pub done: bool,
    /// A change broke it (NLM_F_DUMP_INTR): it has to be asked for again.
    pub broken: bool,
    pub errno: i32,
}

/// Messages of another sequence are left from a dump that was given up.
pub fn dump_part(chunk: &[u8], seq: u32) -> DumpPart {
    let mut part = DumpPart::default();
    let mut at = 0;
    for message in messages(chunk) {
        at += (HEADER + message.body.len()).next_multiple_of(4);
        if message.seq != seq {
            continue;
        }
        part.broken |= message.flags & NLM_F_DUMP_INTR != 0;
        if matches!(message.kind, NLMSG_DONE | NLMSG_ERROR) {
            part.done = true;
            let code = message.body.get(..4).and_then(|code| code.try_into().ok());
            part.errno = code.map_or(0, |code| i32::from_ne_bytes(code).saturating_neg());
            return part;
        }
        part.end = at;
    }
    part
}

pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & NLA_TYPE_MASK;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, value))
    })
}

/// One NLMSG_ERROR: the sequence it answers, errno (0: done), the kernel's own words where it gave any.
pub(super) fn verdict(message: &Message<'_>) -> Option<(u32, i32, Option<String>)> {
    let code = i32::from_ne_bytes(message.body.get(..4)?.try_into().ok()?).checked_neg()?;
    let mut text = None;
    if message.flags & NLM_F_ACK_TLVS != 0 {
        // NETLINK_CAP_ACK, and success, echo only the header of the request; otherwise all of it comes back
        let capped = message.flags & NLM_F_CAPPED != 0 || code == 0;
        let echoed = if capped {
            HEADER
        } else {
            u32_at(message.body, 4)? as usize
        };
        let tlvs = message
            .body
            .get(4usize.checked_add(echoed)?.checked_next_multiple_of(4)?..)
            .unwrap_or(&[]);
        text = attributes(tlvs)
            .find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG)
            .map(|(_, value)| {
                String::from_utf8_lossy(value)
                    .trim_end_matches('\0')
                    .to_owned()
            });
    }
    Some((message.seq, code, text))
}
