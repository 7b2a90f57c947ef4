//! A kernel in a few lines: nexthop objects and routes by the rules measured on Linux 6.18, fed with netlink bytes.
use std::collections::{BTreeMap, BTreeSet};

use super::super::netlink::*;

const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const EINVAL: i32 = 22;
const ENETDOWN: i32 = 100;
const EHOSTUNREACH: i32 = 113;
pub const PROTOCOL: u8 = 201;
pub const METRIC: u32 = 50;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Single {
    pub family: u8,
    pub gateway: Vec<u8>,
    pub ifindex: u32,
    pub flags: u32,
}

/// AF, address, length.
pub type RouteKey = (u8, Vec<u8>, u8);

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    pub kind: u8,
    pub group: Option<u32>,
}

#[derive(Clone, Default, Debug)]
pub struct Kernel {
    pub down: BTreeSet<u32>,
    pub unreachable_gateways: BTreeSet<Vec<u8>>,
    pub singles: BTreeMap<u32, Single>,
    pub groups: BTreeMap<u32, Vec<(u32, u16)>>,
    pub routes: BTreeMap<RouteKey, Route>,
    /// What came, as (message type, nexthop id or 0), for tests of order.
    pub log: Vec<(u16, u32)>,
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_ne_bytes(bytes.try_into().unwrap())
}

impl Kernel {
    /// Apply a batch and answer it as Linux does with NETLINK_CAP_ACK: each failure, and the last message.
    pub fn apply(&mut self, batch: &[u8], first: u32, last: u32) -> Vec<u8> {
        let all: Vec<Message<'_>> = messages(batch).collect();
        let sizes: usize = all.iter().map(|m| HEADER + m.body.len()).sum();
        assert_eq!(sizes, batch.len(), "every byte belongs to a message");
        assert_eq!(all.len() as u32, last - first + 1);
        let mut replies = Vec::new();
        for (at, message) in all.iter().enumerate() {
            let seq = first + at as u32;
            assert_eq!(message.seq, seq);
            assert_eq!(
                message.flags & NLM_F_ACK != 0,
                seq == last,
                "only the last asks for an answer"
            );
            let errno = match message.kind {
                RTM_NEWNEXTHOP => self.new_nexthop(message),
                RTM_DELNEXTHOP => self.del_nexthop(message),
                RTM_NEWROUTE => self.new_route(message),
                RTM_DELROUTE => self.del_route(message),
                other => panic!("message of type {other}"),
            };
            if errno != 0 || seq == last {
                replies.extend_from_slice(&error_message(
                    seq,
                    errno,
                    message.kind,
                    "as the test wills",
                ));
            }
        }
        replies
    }

    fn new_nexthop(&mut self, message: &Message<'_>) -> i32 {
        let create = message.flags & NLM_F_CREATE != 0;
        assert_eq!(
            message.flags & !(NLM_F_ACK | NLM_F_CREATE),
            NLM_F_REQUEST | NLM_F_REPLACE
        );
        let head = &message.body[..NHMSG];
        assert_eq!((head[1], head[2], head[3]), (0, PROTOCOL, 0));
        let found: BTreeMap<u16, &[u8]> = attributes(&message.body[NHMSG..]).collect();
        let id = number(found[&NHA_ID]);
        self.log.push((RTM_NEWNEXTHOP, id));
        if let Some(packed) = found.get(&NHA_GROUP) {
            assert_eq!((head[0], found.len()), (0, 2));
            let members: Vec<(u32, u16)> = packed
                .chunks_exact(8)
                .map(|m| (number(&m[..4]), u16::from_le_bytes([m[4], m[5]]) + 1))
                .collect();
            return self.new_group(id, members, create);
        }
        if self.groups.contains_key(&id) {
            return EINVAL;
        }
        if !create && !self.singles.contains_key(&id) {
            return ENOENT;
        }
        let single = Single {
            family: head[0],
            gateway: found.get(&NHA_GATEWAY).map_or(Vec::new(), |g| g.to_vec()),
            ifindex: found.get(&NHA_OIF).map_or(0, |oif| number(oif)),
            flags: number(&head[4..]),
        };
        assert_eq!(single.ifindex == 0, found.contains_key(&NHA_BLACKHOLE));
        if self.down.contains(&single.ifindex) {
            return ENETDOWN;
        }
        if self.unreachable_gateways.contains(&single.gateway) {
            return EHOSTUNREACH;
        }
        self.singles.insert(id, single);
        0
    }

    fn new_group(&mut self, id: u32, members: Vec<(u32, u16)>, create: bool) -> i32 {
        let ids: BTreeSet<u32> = members.iter().map(|m| m.0).collect();
        let found: Vec<&Single> = ids.iter().filter_map(|id| self.singles.get(id)).collect();
        let blackhole = found.iter().any(|single| single.ifindex == 0);
        let used_by_v6 = self
            .routes
            .iter()
            .any(|(key, route)| key.0 == 10 && route.group == Some(id));
        if members.is_empty()
            || ids.len() != members.len()
            || found.len() != members.len()
            || self.singles.contains_key(&id)
            || blackhole && members.len() > 1
            || used_by_v6 && found.iter().any(|single| single.family == 2)
        {
            return EINVAL;
        }
        if !create && !self.groups.contains_key(&id) {
            return ENOENT;
        }
        self.groups.insert(id, members);
        0
    }

    fn del_nexthop(&mut self, message: &Message<'_>) -> i32 {
        assert_eq!(message.body[..NHMSG], [0; NHMSG]);
        let (_, id) = attributes(&message.body[NHMSG..]).next().unwrap();
        let id = number(id);
        self.log.push((RTM_DELNEXTHOP, id));
        if self.singles.remove(&id).is_some() {
            self.shrink(&BTreeSet::from([id]));
            0
        } else if self.groups.remove(&id).is_some() {
            self.routes.retain(|_, route| route.group != Some(id));
            0
        } else {
            ENOENT
        }
    }

    pub fn shrink(&mut self, gone: &BTreeSet<u32>) {
        self.groups
            .values_mut()
            .for_each(|members| members.retain(|m| !gone.contains(&m.0)));
        let groups = &mut self.groups;
        groups.retain(|_, members| !members.is_empty());
        self.routes
            .retain(|_, route| route.group.is_none_or(|id| groups.contains_key(&id)));
    }

    fn route_key(message: &Message<'_>) -> (RouteKey, BTreeMap<u16, Vec<u8>>) {
        let head = &message.body[..RTMSG];
        let found: BTreeMap<u16, Vec<u8>> = attributes(&message.body[RTMSG..])
            .map(|(kind, value)| (kind, value.to_vec()))
            .collect();
        assert_eq!((head[4], head[5]), (254, PROTOCOL));
        assert_eq!(number(&found[&RTA_PRIORITY]), METRIC);
        ((head[0], found[&RTA_DST].clone(), head[1]), found)
    }

    fn new_route(&mut self, message: &Message<'_>) -> i32 {
        assert_eq!(
            message.flags & !NLM_F_ACK,
            NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE
        );
        let (key, found) = Self::route_key(message);
        let group = found.get(&RTA_NH_ID).map(|id| number(id));
        self.log.push((RTM_NEWROUTE, group.unwrap_or(0)));
        if let Some(id) = group {
            let Some(members) = self.groups.get(&id) else {
                return EINVAL;
            };
            if key.0 == 10 && members.iter().any(|m| self.singles[&m.0].family == 2) {
                return EINVAL;
            }
        }
        self.routes.insert(
            key,
            Route {
                kind: message.body[7],
                group,
            },
        );
        0
    }

    fn del_route(&mut self, message: &Message<'_>) -> i32 {
        let (key, found) = Self::route_key(message);
        assert!(!found.contains_key(&RTA_NH_ID));
        self.log.push((RTM_DELROUTE, 0));
        if self.routes.remove(&key).is_some() {
            0
        } else {
            ESRCH
        }
    }

    pub fn carrier(&mut self, ifindex: u32, up: bool) {
        if up {
            self.down.remove(&ifindex);
            return;
        }
        self.down.insert(ifindex);
        let gone: BTreeSet<u32> = self
            .singles
            .iter()
            .filter(|(_, single)| single.ifindex == ifindex)
            .map(|(id, _)| *id)
            .collect();
        self.singles.retain(|id, _| !gone.contains(id));
        self.shrink(&gone);
    }

    /// RTM_NEWNEXTHOP as in a dump, RTM_DELNEXTHOP as told when it goes.
    pub fn nexthop_message(&self, kind: u16, id: u32) -> Vec<u8> {
        let mut body = vec![0, 0, PROTOCOL, 0, 0, 0, 0, 0];
        put(&mut body, NHA_ID, &id.to_ne_bytes());
        if let Some(single) = self.singles.get(&id) {
            body[0] = single.family;
            body[4..8].copy_from_slice(&single.flags.to_ne_bytes());
            if single.ifindex == 0 {
                put(&mut body, NHA_BLACKHOLE, &[]);
            } else {
                put(&mut body, NHA_OIF, &single.ifindex.to_ne_bytes());
            }
            if !single.gateway.is_empty() {
                put(&mut body, NHA_GATEWAY, &single.gateway);
            }
        } else if let Some(members) = self.groups.get(&id) {
            let packed: Vec<u8> = members
                .iter()
                .flat_map(|&(id, w)| {
                    let [low, high] = (w - 1).to_le_bytes();
                    [id.to_ne_bytes(), [low, high, 0, 0]].concat()
                })
                .collect();
            put(&mut body, NHA_GROUP, &packed);
        }
        let mut out = Vec::new();
        message(&mut out, kind, &body);
        out
    }

    pub fn dump_nexthops(&self) -> Vec<u8> {
        let ids = self.singles.keys().chain(self.groups.keys());
        ids.flat_map(|&id| self.nexthop_message(RTM_NEWNEXTHOP, id))
            .collect()
    }

    pub fn dump_routes(&self) -> Vec<u8> {
        self.dump_routes_after(None, usize::MAX)
    }

    /// At most `most` routes behind a key, in order, as a dump that is read in parts goes on.
    pub fn dump_routes_after(&self, after: Option<&RouteKey>, most: usize) -> Vec<u8> {
        let mut dump = Vec::new();
        let behind = |key: &&RouteKey| after.is_none_or(|after| *key > after);
        let keys = self.routes.keys().filter(behind).take(most);
        for (family, dst, len) in keys {
            let route = &self.routes[&(*family, dst.clone(), *len)];
            let mut body = vec![
                *family, *len, 0, 0, 254, PROTOCOL, 0, route.kind, 0, 0, 0, 0,
            ];
            if *len > 0 {
                put(&mut body, RTA_DST, dst);
            }
            put(&mut body, RTA_PRIORITY, &METRIC.to_ne_bytes());
            if let Some(id) = route.group {
                put(&mut body, RTA_NH_ID, &id.to_ne_bytes());
            }
            message(&mut dump, RTM_NEWROUTE, &body);
        }
        dump
    }
}

fn put(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    body.extend_from_slice(&(value.len() as u16 + 4).to_ne_bytes());
    body.extend_from_slice(&kind.to_ne_bytes());
    body.extend_from_slice(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn message(out: &mut Vec<u8>, kind: u16, body: &[u8]) {
    out.extend_from_slice(&((HEADER + body.len()) as u32).to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&[0; 10]);
    out.extend_from_slice(body);
}

pub fn error_message(seq: u32, errno: i32, kind: u16, text: &str) -> Vec<u8> {
    let mut body = (-errno).to_ne_bytes().to_vec();
    body.extend_from_slice(
        &[
            &16u32.to_ne_bytes()[..],
            &kind.to_ne_bytes(),
            &[0; 2],
            &seq.to_ne_bytes(),
            &[0; 4],
        ]
        .concat(),
    );
    if errno != 0 {
        put(&mut body, 1, format!("{text}\0").as_bytes());
    }
    let mut out = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
    let flags: u16 = if errno != 0 { 0x300 } else { 0x100 };
    out.extend_from_slice(
        &[
            &NLMSG_ERROR.to_ne_bytes()[..],
            &flags.to_ne_bytes(),
            &seq.to_ne_bytes(),
            &[0; 4],
        ]
        .concat(),
    );
    out.extend_from_slice(&body);
    out
}
