//! The agent's model of one box.
