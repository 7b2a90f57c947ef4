//! The central RIB: tables of paths, interned attribute sets, next hops and their groups, selection, change feeds.

pub mod adj_rib_out;
pub mod attributes_encode;
pub mod choice;
pub mod compare;
pub mod core;
pub mod criteria;
pub mod ends;
pub mod engine;
pub mod export;
mod export_readers;
pub mod export_rows;
pub mod export_terms;
pub mod feed;
pub mod fib;
pub mod grouping;
pub mod hop_rows;
pub mod infos;
pub mod installed;
pub mod instance;
pub mod leak;
pub mod marks;
pub mod memory;
pub mod nexthop;
pub mod nlri;
pub mod options;
mod order;
pub mod originate;
pub mod path_ids;
pub mod pending;
pub mod query;
pub mod resolve;
mod resume;
pub mod rib_log;
pub mod rounds;
pub mod rows;
pub mod select;
pub mod settle;
pub mod several;
pub mod source;
pub mod stale;
pub mod stretch;
pub mod sweep;
pub mod table;
pub mod tombstones;
pub mod tracked;
pub mod update_encode;
pub mod value;
pub mod watch;

#[cfg(test)]
mod tests;

pub const NONE: u32 = u32::MAX;
