//! The model against a simulated kernel that takes and answers the netlink bytes.
mod batches;
mod fixture;
mod kernel;
mod lowering;
mod naive;
mod properties;
mod shortcuts;
mod stream;
mod world;
