//! One client connection, without its socket: bytes in become requests, responses become bytes and
//! ranges out, in the order of the requests.

mod inbox;
mod outbox;
mod permits;
mod pipeline;

pub use self::inbox::{FrameError, Inbox, LENGTH_BYTES, Received, next_frame};
pub use self::outbox::{Outbox, Piece, SentBytes};
pub use self::permits::Permits;
pub use self::pipeline::{Inserted, InsertedParts, Pipeline, Response, Turn, write_out};
