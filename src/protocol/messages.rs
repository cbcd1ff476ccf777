//! The messages, generated from `schema/kafka/` by `schema/build.rs`: one module per file there.

// Names say most; the definitions comment on the rest.
#![allow(missing_docs, unused_variables, elided_lifetimes_in_paths)]
#![allow(clippy::all, clippy::too_many_lines)]

use super::message::{Message, MessageInfo};

/// What every generated module uses.
mod imports {
    pub(super) use core::ops::RangeInclusive;

    pub(super) use crate::protocol::api::ApiKey;
    pub(super) use crate::protocol::array::Array;
    pub(super) use crate::protocol::failure::DecodeError;
    pub(super) use crate::protocol::field::Field;
    pub(super) use crate::protocol::message::{Format, Message, Request, Response};
    pub(super) use crate::protocol::reader::Reader;
    pub(super) use crate::protocol::records::Records;
    pub(super) use crate::protocol::writer::Writer;
    pub(super) use crate::types::Uuid;
}

macro_rules! info {
    ($message:ty) => {
        MessageInfo {
            name: <$message>::NAME,
            versions: <$message>::VERSIONS,
            flexible_from: <$message>::FLEXIBLE_FROM,
            transcode: |bytes, from, to, writer| {
                let message = <$message>::decode(bytes, from)?;
                // What was decoded is never too long to be encoded.
                message.encode(to, writer).expect("decoded lengths fit");
                Ok(())
            },
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/messages.rs"));
