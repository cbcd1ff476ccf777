//! What was typed.

pub mod serve;
