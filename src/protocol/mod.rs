//! Kafka's wire format: messages of every version that is served, borrowed from the bytes that
//! hold them. Nothing above this module knows what a version looks like.
//!
//! The messages are generated from the definitions in `schema/kafka/`, one module each:
//! [`messages::produce`], [`messages::fetch`] and so on. Decoding borrows and never allocates;
//! the same types serve for encoding, and for clients as well as brokers.

mod api;
mod array;
mod error_code;
mod failure;
mod field;
mod frame;
mod header;
mod message;
pub mod messages;
mod reader;
mod records;
mod writer;

pub use api::ApiKey;
pub use array::{Array, ArrayIter};
pub use error_code::ErrorCode;
pub use failure::{DecodeError, EncodeError};
pub use field::Field;
pub use frame::{write_request, write_response};
pub use message::{Format, Message, MessageInfo, Request, Response};
pub use messages::headers::{RequestHeader, ResponseHeader};
pub use reader::Reader;
pub use records::Records;
pub use writer::{Cut, Part, Writer};

#[cfg(test)]
mod tests;
