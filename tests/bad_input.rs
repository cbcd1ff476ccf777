//! Bytes that no good client sends, to the real binary over TCP. Whatever comes, the broker answers
//! or closes that connection, keeps its memory, and serves others.
#![allow(clippy::unwrap_used, unreachable_pub, missing_docs)]

#[path = "bad_input/administration.rs"]
mod administration;
#[path = "bad_input/batches.rs"]
mod batches;
#[path = "bad_input/broker.rs"]
mod broker;
#[path = "bad_input/client.rs"]
mod client;
#[path = "bad_input/framing.rs"]
mod framing;
#[path = "bad_input/groups.rs"]
mod groups;
#[path = "bad_input/leaving.rs"]
mod leaving;
#[path = "bad_input/many.rs"]
mod many;
#[path = "bad_input/memory.rs"]
mod memory;
#[path = "bad_input/records.rs"]
mod records;
#[path = "bad_input/requests.rs"]
mod requests;
#[path = "bad_input/words.rs"]
mod words;
