//! What this broker coordinates for its clients.

pub mod group;
