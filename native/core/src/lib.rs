//! Routes behind opaque handles: wire formats, attribute sets, tables, best path, next hops, groups, FIB columns, and the agent's
//! model with its netlink batches. Plain Rust; the Python binding is the crate `routing-native`.
#![forbid(unsafe_code)]
pub mod agent;
pub mod digest;
pub mod prefix;
pub mod rib;
pub mod wire;
