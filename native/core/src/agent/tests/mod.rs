//! The model against a simulated kernel that takes and answers the netlink bytes.
mod audits;
mod batches;
mod fixture;
mod foreign;
mod kernel;
mod lowering;
mod naive;
mod no_loops;
mod properties;
mod shortcuts;
mod stream;
mod world;
