//! The model against a simulated kernel that takes and answers the netlink bytes.
mod anew;
mod audits;
mod batches;
mod fixture;
mod foreign;
mod kernel;
mod lowering;
mod memory;
mod naive;
mod no_loops;
mod properties;
mod reached;
mod shortcuts;
mod stream;
mod world;
