//! The connections of a shard, and why one is not read from.

use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::connection::{Inbox, Outbox, Permits, Pipeline};
use crate::handlers::OperationId;
use crate::types::{ConnectionId, Instant, Map};

/// Requests of one connection that may wait for their answers at the same time.
const PIPELINE_MAX: usize = 128;
/// A connection is not read from while its waiting requests take more than this: a request of a few
/// bytes can be about ten thousand partitions of a session.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// A connection with more than this to send, now or when its turn comes, is not read from.
const OUTBOX_BYTES_MAX: u64 = 256 << 10;
/// A client that takes nothing for this long although something is to be sent is cut off: what it
/// holds back is memory and deleted files.
const STALL_MAX: Duration = Duration::from_secs(120);
/// A client that sends no more is waited for this long, when nothing moves that would let the rest of
/// what it sent be read: whether it still listens cannot be known.
const LEFT_MAX: Duration = Duration::from_secs(30);
/// How often idle and stalled connections are looked for.
const SWEEP: Duration = Duration::from_secs(5);

/// Reasons not to handle a connection's requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Paused {
    /// A request found no room in the store.
    pub(super) room: bool,
    /// There is no permit for the memory of its next request.
    pub(super) permit: bool,
    /// Its client has used more than its quota.
    pub(super) quota: bool,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// The client's address.
    pub(super) peer: IpAddr,
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    pub(super) pipeline: Pipeline,
    pub(super) waiting: SmallVec<[OperationId; 2]>,
    /// Memory of those that wait.
    pub(super) waiting_bytes: usize,
    pub(super) paused: Paused,
    /// The driver was told nothing more to read.
    pub(super) asleep: bool,
    /// It is closed as soon as the outbox is sent; what else it sent is not looked at.
    pub(super) closing: bool,
    /// The client sends no more.
    pub(super) ended: bool,
    /// The outbox is among those to be sent.
    pub(super) flushing: bool,
    /// What its client calls itself.
    pub(super) client: Arc<str>,
    /// Until when its client waits for its quota's sake.
    pub(super) muted_until: Option<Instant>,
    /// It is closed after that.
    pub(super) refused: bool,
    /// When bytes last went either way.
    last_active: Instant,
}

impl Connection {
    /// Whether requests may be handled, and more bytes read.
    pub(super) fn is_open(&self) -> bool {
        self.paused == Paused::default()
            && !self.closing
            && self.pipeline.len() < PIPELINE_MAX
            && self.waiting_bytes <= WAITING_BYTES_MAX
            && self.pipeline.bytes() + self.outbox.bytes() <= OUTBOX_BYTES_MAX
    }

    /// Notes that bytes went either way.
    pub(super) fn touch(&mut self, now: Instant) {
        self.last_active = now;
    }
}

/// All connections of a shard.
#[derive(Debug)]
pub(super) struct Connections {
    connections: Map<ConnectionId, Connection>,
    pub(super) permits: Permits,
    /// Connections that wait for room in the store, in order.
    pub(super) without_room: Vec<ConnectionId>,
    next_sweep: Instant,
    idle_max: Option<Duration>,
    /// What all clients call themselves before they have said anything.
    nobody: Arc<str>,
}

impl Connections {
    pub(super) fn new(request_bytes_max: usize, idle_max: Option<Duration>) -> Self {
        Self {
            connections: Map::default(),
            permits: Permits::new(request_bytes_max),
            without_room: Vec::new(),
            next_sweep: Instant::new(0),
            idle_max,
            nobody: Arc::from(""),
        }
    }

    pub(super) fn open(&mut self, id: ConnectionId, peer: IpAddr, now: Instant) {
        let connection = Connection {
            peer,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            pipeline: Pipeline::default(),
            waiting: SmallVec::new(),
            waiting_bytes: 0,
            paused: Paused::default(),
            asleep: false,
            closing: false,
            ended: false,
            flushing: false,
            client: Arc::clone(&self.nobody),
            muted_until: None,
            refused: false,
            last_active: now,
        };
        assert!(self.connections.insert(id, connection).is_none(), "ids are never used again");
    }

    /// Notes that a client sends no more.
    pub(super) fn ended(&mut self, id: ConnectionId, now: Instant) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.ended = true;
            connection.touch(now);
        }
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.connections.remove(&id)?;
        self.permits.gone(id, connection.inbox.capacity_bytes());
        Some(connection)
    }

    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.connections.is_empty()).then_some(self.next_sweep)
    }

    /// Finds connections to be closed, and gives memory back that resting ones do not need.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<ConnectionId> {
        if now < self.next_sweep {
            return Vec::new();
        }
        self.next_sweep = now.after(SWEEP);
        let mut gone = self.permits.overdue(now);
        for (id, connection) in &mut self.connections {
            let silent = now.since(connection.last_active);
            let stalled = !connection.outbox.is_empty() && silent > STALL_MAX;
            let idle =
                connection.pipeline.is_empty() && self.idle_max.is_some_and(|max| silent > max);
            let left = connection.ended && silent > LEFT_MAX;
            if stalled || idle || left {
                gone.push(*id);
            } else if silent > SWEEP {
                let before = connection.inbox.capacity_bytes();
                connection.inbox.rest();
                connection.outbox.rest();
                self.permits.changed(before, connection.inbox.capacity_bytes());
            }
        }
        // By id, not by the order of the map.
        gone.sort_unstable();
        gone.dedup();
        gone
    }
}
