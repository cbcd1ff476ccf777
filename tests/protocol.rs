//! The wire format, judged by Kafka's own classes, by Kafka's own definitions, by another codec
//! and by hostile bytes.

#[path = "protocol/allocations.rs"]
mod allocations;
#[path = "../schema/compile/mod.rs"]
mod compile;
#[path = "protocol/compiler.rs"]
mod compiler;
#[path = "protocol/definitions.rs"]
mod definitions;
#[path = "protocol/hostile.rs"]
mod hostile;
#[path = "protocol/judged.rs"]
mod judged;
#[path = "protocol/oracle.rs"]
mod oracle;
#[path = "protocol/second_opinion.rs"]
mod second_opinion;
