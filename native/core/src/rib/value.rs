//! Plain values for people and JSON, and attribute sets as such.

use crate::prefix::{AnyPrefix, Ip};
use crate::wire::{as_path, attributes, code};

/// A tree of plain values, as JSON has them.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    /// What may be beyond `Int`.
    Unsigned(u64),
    Text(String),
    List(Vec<Value>),
    Map(Vec<(&'static str, Value)>),
}

pub fn int(n: impl Into<i64>) -> Value {
    Value::Int(n.into())
}

pub fn text(s: impl Into<String>) -> Value {
    Value::Text(s.into())
}

pub fn text_or_null(s: &str) -> Value {
    if s.is_empty() {
        Value::Null
    } else {
        text(s)
    }
}

pub fn ip(a: Ip) -> Value {
    text_or_null(&a.text())
}

pub fn prefix_text(p: &AnyPrefix) -> String {
    match p {
        AnyPrefix::V4(p) => p.text(),
        AnyPrefix::V6(p) => p.text(),
    }
}

pub fn be32(b: &[u8]) -> u32 {
    u32::from_be_bytes([b[0], b[1], b[2], b[3]])
}

/// A canonical attribute block as a dictionary.
pub fn attributes_value(block: &[u8], next_hop: Ip, link_local: u128) -> Value {
    let find = |c| attributes::find(block, c);
    let list = |c, width: usize, f: &dyn Fn(&[u8]) -> String| {
        let value = find(c).unwrap_or(&[]);
        Value::List(value.chunks_exact(width).map(|v| text(f(v))).collect())
    };
    let four = |c| find(c).map_or(Value::Null, |v| int(be32(v)));
    let hex = |v: &[u8]| v.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let dotted = |v: &[u8]| Ip::V4(be32(v)).text();
    let origin = match find(code::ORIGIN) {
        Some([0]) => text("igp"),
        Some([1]) => text("egp"),
        Some(_) => text("incomplete"),
        None => Value::Null,
    };
    let unknown = attributes::iter(block)
        .filter(|a| !matches!(a.1, 1..=10 | 16 | 26 | 32 | 35))
        .map(|(f, c, v)| Value::List(vec![int(f), int(c), text(hex(v))]))
        .collect();
    Value::Map(vec![
        ("origin", origin),
        (
            "as_path",
            text(as_path::text(find(code::AS_PATH).unwrap_or(&[]))),
        ),
        ("next_hop", ip(next_hop)),
        (
            "link_local",
            if link_local == 0 {
                Value::Null
            } else {
                ip(Ip::V6(link_local))
            },
        ),
        ("med", four(code::MED)),
        ("local_pref", four(code::LOCAL_PREF)),
        (
            "atomic_aggregate",
            Value::Bool(find(code::ATOMIC_AGGREGATE).is_some()),
        ),
        (
            "aggregator",
            find(code::AGGREGATOR).map_or(Value::Null, |v| {
                text(format!("{} {}", be32(v), dotted(&v[4..])))
            }),
        ),
        (
            "communities",
            list(code::COMMUNITIES, 4, &|v| {
                let c = be32(v);
                format!("{}:{}", c >> 16, c & 0xffff)
            }),
        ),
        (
            "originator_id",
            find(code::ORIGINATOR_ID).map_or(Value::Null, |v| text(dotted(v))),
        ),
        ("cluster_list", list(code::CLUSTER_LIST, 4, &dotted)),
        (
            "extended_communities",
            list(code::EXTENDED_COMMUNITIES, 8, &hex),
        ),
        (
            "large_communities",
            list(code::LARGE_COMMUNITIES, 12, &|v| {
                format!("{}:{}:{}", be32(v), be32(&v[4..]), be32(&v[8..]))
            }),
        ),
        (
            "aigp",
            attributes::aigp(block).map_or(Value::Null, Value::Unsigned),
        ),
        ("otc", four(code::OTC)),
        ("unknown", Value::List(unknown)),
    ])
}
