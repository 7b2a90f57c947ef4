//! BGP's wire format: cutting the stream into messages, UPDATEs to canonical changes, attribute sets in canonical form.

pub mod as_path;
pub mod as_path_edit;
pub mod attribute_rows;
pub mod attributes;
pub mod boundary;
pub mod communities;
pub mod finding;
pub mod framer;
pub mod mrt;
pub mod next_hop;
pub mod refusal;
pub mod role;
pub mod terms;
pub mod update;

/// Path attribute type codes (IANA).
pub mod code {
    pub const ORIGIN: u8 = 1;
    pub const AS_PATH: u8 = 2;
    pub const NEXT_HOP: u8 = 3;
    pub const MED: u8 = 4;
    pub const LOCAL_PREF: u8 = 5;
    pub const ATOMIC_AGGREGATE: u8 = 6;
    pub const AGGREGATOR: u8 = 7;
    pub const COMMUNITIES: u8 = 8;
    pub const ORIGINATOR_ID: u8 = 9;
    pub const CLUSTER_LIST: u8 = 10;
    pub const MP_REACH: u8 = 14;
    pub const MP_UNREACH: u8 = 15;
    pub const EXTENDED_COMMUNITIES: u8 = 16;
    pub const AS4_PATH: u8 = 17;
    pub const AS4_AGGREGATOR: u8 = 18;
    pub const AIGP: u8 = 26;
    pub const LARGE_COMMUNITIES: u8 = 32;
    pub const OTC: u8 = 35;
}

pub const FLAG_OPTIONAL: u8 = 0x80;
pub const FLAG_TRANSITIVE: u8 = 0x40;
pub const FLAG_PARTIAL: u8 = 0x20;
pub const FLAG_EXTENDED: u8 = 0x10;
/// RFC 6793: stands for a four-octet AS number where only two octets fit.
pub const AS_TRANS: u32 = 23456;
