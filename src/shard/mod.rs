//! One shard: a synchronous, deterministic state machine that owns a part of the partitions and of
//! the connections. It is composed here out of parts that know nothing of each other; what happens
//! goes in by [`Shard::handle`], what is wanted comes out as effects.

mod answers;
mod boot;
mod connections;
mod director;
mod effect;
mod group_loading;
mod groups;
mod images;
mod input;
mod message;
mod report;
mod requests;
mod start;
mod strays;
mod throttle;

use std::sync::Arc;

use self::connections::Connections;
use self::director::Director;
use self::groups::Coordinators;
use self::start::Start;
use self::throttle::Throttle;
use crate::config::BrokerSettings;
use crate::connection::Outbox;
use crate::handlers::{
    Context, Identity, OperationId, Operations, Outbound, ProducerIds, Responder, Sessions,
    Subscriptions, Topics,
};
use crate::io::{DiskRequest, FileName};
use crate::metadata::Image;
use crate::metrics::Metrics;
use crate::prng::Prng;
use crate::quota::Windows;
use crate::store::{Owner, Store, StoreConfig, StoreEvent};
use crate::trace::Event;
use crate::types::{ConnectionId, Instant, Now, ShardId, Uuid};

pub use self::effect::{Effect, Exit};
pub use self::input::Input;
pub use self::message::Message;
pub use self::report::{MemoryReport, PartitionReport, Report, Stage};

/// One part in so many of the memory for requests is for batches on their way to other cores.
const LENT_SHARE: usize = 4;
/// Bytes read at once into the buffer that all connections share.
const SHARED_BUFFER_BYTES: usize = 256 << 10;

/// What a shard is made with.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// Which shard this is.
    pub shard: ShardId,
    /// How many there are.
    pub shards: u16,
    /// The broker's settings.
    pub settings: Arc<BrokerSettings>,
    /// Who the broker is.
    pub identity: Identity,
    /// The data directory, which exists.
    pub root: FileName,
    /// Randomness.
    pub seed: u64,
    /// Memory for requests that are not complete, and for batches on their way to other cores.
    pub request_memory_bytes: usize,
    /// The store; its ids are filled in by the shard.
    pub store: StoreConfig,
}

/// What handlers work on.
#[derive(Debug)]
struct Parts {
    shard: ShardId,
    shards: u16,
    identity: Identity,
    settings: Arc<BrokerSettings>,
    image: Arc<Image>,
    topics: Topics,
    store: Store,
    outbound: Outbound,
    sessions: Sessions,
    subscriptions: Subscriptions,
    producer_ids: ProducerIds,
    responder: Responder,
    prng: Prng,
}

impl Parts {
    fn context(&mut self, now: Now, operation: OperationId) -> Context<'_> {
        Context {
            now,
            shard: self.shard,
            shards: self.shards,
            identity: &self.identity,
            settings: &self.settings,
            image: &self.image,
            topics: &self.topics,
            store: &mut self.store,
            outbound: &mut self.outbound,
            sessions: &mut self.sessions,
            subscriptions: &mut self.subscriptions,
            producer_ids: &mut self.producer_ids,
            responder: &mut self.responder,
            prng: &mut self.prng,
            fetch_bytes_max: u64::MAX,
            operation,
        }
    }
}

/// A shard.
#[derive(Debug)]
pub struct Shard {
    parts: Parts,
    connections: Connections,
    operations: Operations,
    coordinators: Coordinators,
    shared: Vec<u8>,
    start: Start,
    /// Only with the first shard.
    director: Option<Director>,
    disk_requests: Vec<DiskRequest>,
    /// Empty, kept for its memory.
    store_events: Vec<StoreEvent>,
    effects: Vec<Effect>,
    flushes: Vec<ConnectionId>,
    /// Images that this shard lives by and has not told the first shard of.
    unacknowledged: Vec<u64>,
    metrics: Metrics,
    throttle: Throttle,
    device_full: bool,
    serving: bool,
    stopping: bool,
}

impl Shard {
    /// A shard that has not begun.
    pub fn new(config: ShardConfig) -> Self {
        let ShardConfig { shard, shards, settings, identity, root, seed, store, .. } = config;
        let mut prng = Prng::new(seed);
        let store = StoreConfig { wal_id: prng.next_u64(), shard, ..store };
        let first = shard == ShardId::FIRST;
        let director = first.then(|| Director::new(&root, shards, identity.clone(), prng.fork()));
        let sessions = settings.network.fetch_sessions_max.div_ceil(usize::from(shards));
        let idle_max = settings.network.idle_max;
        let quotas = settings.quotas;
        let windows = Windows { count: quotas.windows, length: quotas.window };
        let lent_bytes_max = config.request_memory_bytes / LENT_SHARE;
        Self {
            parts: Parts {
                shard,
                shards,
                identity,
                settings,
                image: Arc::new(Image::new(Uuid::ZERO)),
                topics: Topics::default(),
                store: Store::new(store),
                outbound: Outbound::new(lent_bytes_max),
                sessions: Sessions::new(sessions),
                subscriptions: Subscriptions::default(),
                producer_ids: ProducerIds::default(),
                responder: Responder::default(),
                prng,
            },
            connections: Connections::new(config.request_memory_bytes - lent_bytes_max, idle_max),
            operations: Operations::default(),
            coordinators: Coordinators::default(),
            shared: vec![0; SHARED_BUFFER_BYTES],
            start: Start::default(),
            director,
            disk_requests: Vec::new(),
            store_events: Vec::new(),
            effects: Vec::new(),
            flushes: Vec::new(),
            unacknowledged: Vec::new(),
            metrics: Metrics::default(),
            throttle: Throttle::new(windows),
            device_full: false,
            serving: false,
            stopping: false,
        }
    }

    /// Takes an input in.
    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Start => self.begin(now),
            Input::Opened { connection, peer } => {
                self.metrics.connections_opened += 1;
                self.connections.open(connection, peer, now.instant);
                self.comes_from(now, connection, peer);
            }
            Input::Received { connection, bytes } => self.received(now, connection, bytes),
            Input::Sent { connection, bytes } => self.sent(now, connection, bytes),
            Input::Ended(connection) => self.connections.ended(connection, now.instant),
            Input::Closed(connection) => self.closed(now, connection),
            Input::Disk { owner, token, result } => {
                self.disk_answered(now, Owner::decode(owner), token, result);
            }
            Input::Message { from, message } => self.message(now, from, message),
            Input::Computed { id, reply, result } => self.computed(now, id, reply, result),
            Input::TurnEnded => self.turn_ended(now),
            Input::Stop => self.stop(now),
        }
        self.settle(now);
    }

    fn turn_ended(&mut self, now: Now) {
        while let Some(operation) = self.operations.due(now.instant) {
            self.look_again(now, operation);
        }
        for connection in self.connections.sweep(now.instant) {
            self.close(now, connection);
        }
        self.tick_quotas(now);
        self.parts.store.tick(now);
        self.tick_groups(now);
        self.propose_waiting(now);
        if self.parts.outbound.may_lend_again() {
            self.wake_without_room(now);
        }
        self.settle(now);
        self.parts.store.end_turn(now);
        self.tell_space();
    }

    fn tell_space(&mut self) {
        let full = self.parts.store.is_device_full();
        if full != self.device_full {
            self.device_full = full;
            let free_bytes = self.parts.store.device_free_bytes().unwrap_or(0);
            self.effects.push(Effect::Log(match full {
                true => Event::DeviceFull { free_bytes },
                false => Event::DeviceHasSpace { free_bytes },
            }));
        }
    }

    /// When [`Input::TurnEnded`] is due although nothing else happens.
    pub fn deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.operations.deadline(),
            self.connections.deadline(),
            self.parts.store.deadline(),
            self.coordinators.deadline(),
            self.throttle.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Takes the connections that have something new to send.
    pub fn take_flushes(&mut self, out: &mut Vec<ConnectionId>) {
        for connection in self.flushes.drain(..) {
            if let Some(open) = self.connections.get_mut(connection) {
                open.flushing = false;
                out.push(connection);
            }
        }
    }

    /// Takes everything else that is wanted.
    pub fn take_effects(&mut self, out: &mut Vec<Effect>) {
        out.append(&mut self.effects);
    }

    /// The space into which bytes of a connection are to be read now; `None` when it is not to be
    /// read from until [`Effect::Resume`].
    pub fn space(&mut self, connection: ConnectionId) -> Option<&mut [u8]> {
        let open = self.connections.get_mut(connection)?;
        if !open.is_open() {
            open.asleep = true;
            return None;
        }
        let (held, missing) = (open.inbox.held_bytes(), open.inbox.missing_bytes());
        if !self.connections.permits.may_read(connection, held, missing) {
            let open = self.connections.get_mut(connection).expect("just there");
            open.paused.permit = true;
            open.asleep = true;
            return None;
        }
        let shared_bytes = self.shared.len().min(self.connections.permits.read_bytes_max());
        let shared = &mut self.shared[..shared_bytes];
        let open = self.connections.get_mut(connection).expect("just there");
        let before = open.inbox.capacity_bytes();
        // Counted before it is used: what is not there cannot be given away twice.
        open.inbox.space(shared);
        let after = open.inbox.capacity_bytes();
        self.connections.permits.changed(before, after);
        let open = self.connections.get_mut(connection).expect("just there");
        Some(open.inbox.space(shared))
    }

    /// What a connection has to send.
    pub fn outbox(&self, connection: ConnectionId) -> Option<&Outbox> {
        self.connections.get(connection).map(|open| &open.outbox)
    }

    /// Which shard this is.
    pub fn id(&self) -> ShardId {
        self.parts.shard
    }

    /// The number of open connections.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// The store, for whoever measures or checks.
    pub fn store(&self) -> &Store {
        &self.parts.store
    }

    /// The store, for a simulation that reads what is left.
    #[cfg(feature = "simulation")]
    pub fn store_mut(&mut self) -> &mut Store {
        &mut self.parts.store
    }

    /// Memory of this shard that others hold.
    #[cfg(feature = "simulation")]
    pub fn lent_bytes(&mut self) -> usize {
        self.parts.outbound.lent_bytes()
    }

    /// The image by which this shard lives.
    pub fn image(&self) -> &Arc<Image> {
        &self.parts.image
    }

    fn fail(&mut self, reason: impl core::fmt::Display) {
        self.effects.push(Effect::Exit(Exit::Failed(reason.to_string())));
    }

    fn send(&mut self, to: ShardId, message: Message) {
        self.effects.push(Effect::Send { to, message });
    }

    fn send_to_all(&mut self, message: impl Fn() -> Message) {
        for shard in 0..self.parts.shards {
            self.send(ShardId::new(shard), message());
        }
    }
}
