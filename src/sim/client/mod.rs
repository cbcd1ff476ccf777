//! Clients of the simulated broker: they speak Kafka's protocol by our own codec.

mod admin;
mod consumer;
mod deleter;
mod producer;

use crate::prng::Prng;
use crate::protocol::{ApiKey, Request, ResponseHeader, Writer, write_request};
use crate::types::Timestamp;

use super::model::Model;

pub(super) use self::admin::Admin;
pub(super) use self::consumer::Consumer;
pub(super) use self::deleter::Deleter;
pub(super) use self::producer::Producer;

/// The topics that exist, or may be made.
pub(super) const TOPICS: [&str; 3] = ["one", "two", "fleeting"];
/// The topic that is deleted now and then.
pub(super) const FLEETING: &str = "fleeting";
/// A client that hears nothing for this long looks for another connection.
const PATIENCE_NANOS: u64 = 3_000_000_000;

/// What a client sees of the world.
pub(super) struct View<'a> {
    /// The time in nanoseconds.
    pub(super) now: u64,
    /// The same as clients' clocks show it.
    pub(super) timestamp: Timestamp,
    pub(super) prng: &'a mut Prng,
    pub(super) model: &'a mut Model,
    /// No more work: finish what has begun.
    pub(super) winding_down: bool,
}

/// What a client wants.
#[derive(Debug, Default)]
pub(super) struct Wants {
    /// Bytes to send.
    pub(super) bytes: Vec<u8>,
    /// Close the connection.
    pub(super) disconnect: bool,
    /// Come back after so many nanoseconds.
    pub(super) wake_after: Option<u64>,
}

/// A connection as its client sees it.
#[derive(Debug, Default)]
pub(super) struct Stream {
    received: Vec<u8>,
    next_correlation: i32,
    heard: u64,
}

impl Stream {
    /// A new connection.
    fn new(now: u64) -> Self {
        Self { heard: now, ..Self::default() }
    }

    /// Writes a request; answers its correlation id.
    fn send<'a, M: Request<'a>>(&mut self, wants: &mut Wants, version: i16, request: &M) -> i32 {
        let correlation = self.next_correlation;
        self.next_correlation += 1;
        let mut writer = Writer::new();
        write_request(&mut writer, correlation, Some("sim"), version, request).expect("it fits");
        wants.bytes.extend_from_slice(writer.bytes());
        correlation
    }

    fn receive(&mut self, now: u64, bytes: &[u8]) {
        self.heard = now;
        self.received.extend_from_slice(bytes);
    }

    /// The next complete frame.
    fn frame(&mut self) -> Option<Vec<u8>> {
        let length = u32::from_be_bytes(*self.received.first_chunk()?) as usize;
        if self.received.len() < 4 + length {
            return None;
        }
        let frame = self.received[4..4 + length].to_vec();
        self.received.drain(..4 + length);
        Some(frame)
    }

    fn is_silent(&self, now: u64) -> bool {
        now.saturating_sub(self.heard) > PATIENCE_NANOS
    }
}

/// The body of a response frame, checked for its correlation id.
fn body(frame: &[u8], api: ApiKey, version: i16, correlation: i32) -> Result<&[u8], String> {
    let (header, body) = ResponseHeader::split_frame(frame, api, version)
        .map_err(|error| format!("a response of {api:?} has no header: {error}"))?;
    if header.correlation_id == correlation {
        return Ok(body);
    }
    Err(format!(
        "a response of {api:?} has correlation id {}, expected {correlation}",
        header.correlation_id
    ))
}

/// A client of one kind or another.
#[derive(Debug)]
pub(super) enum Client {
    Producer(Box<Producer>),
    Consumer(Box<Consumer>),
    Admin(Box<Admin>),
    Deleter(Box<Deleter>),
}

impl Client {
    /// A connection stands.
    pub(super) fn connected(&mut self, view: &mut View<'_>) -> Wants {
        match self {
            Self::Producer(client) => client.connected(view),
            Self::Consumer(client) => client.connected(view),
            Self::Admin(client) => client.connected(view),
            Self::Deleter(client) => client.connected(view),
        }
    }

    /// The connection is gone.
    pub(super) fn disconnected(&mut self, view: &mut View<'_>) {
        match self {
            Self::Producer(client) => client.disconnected(view),
            Self::Consumer(client) => client.disconnected(),
            Self::Admin(client) => client.disconnected(view),
            Self::Deleter(client) => client.disconnected(),
        }
    }

    /// Bytes have come.
    pub(super) fn received(&mut self, view: &mut View<'_>, bytes: &[u8]) -> Wants {
        match self {
            Self::Producer(client) => client.received(view, bytes),
            Self::Consumer(client) => client.received(view, bytes),
            Self::Admin(client) => client.received(view, bytes),
            Self::Deleter(client) => client.received(view, bytes),
        }
    }

    /// The time asked for has come.
    pub(super) fn woken(&mut self, view: &mut View<'_>) -> Wants {
        match self {
            Self::Producer(client) => client.woken(view),
            Self::Consumer(client) => client.woken(view),
            Self::Admin(client) => client.woken(view),
            Self::Deleter(client) => client.woken(view),
        }
    }

    /// Whether nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::Producer(client) => client.is_done(),
            Self::Consumer(_) => true,
            Self::Admin(client) => client.is_done(),
            Self::Deleter(client) => client.is_done(),
        }
    }
}
