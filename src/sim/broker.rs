//! A broker in the simulator: its shards, and what they want, turned into events.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::disk::SimDisk;
use crate::config::BrokerSettings;
use crate::connection::{Outbox, Piece};
use crate::handlers::{Identity, Job};
use crate::io::{DiskRequest, FileName};
use crate::prng::Prng;
use crate::shard::{Effect, Exit, Input, Message, Shard, ShardConfig};
use crate::store::{CompactionLimits, Owner, StoreConfig};
use crate::types::{ConnectionId, NodeId, Now, ShardId, Uuid};
use crate::wal::WalLimits;

/// The data directory.
pub(super) const ROOT: &str = "/data";

/// Something that a shard wants and that takes time.
#[derive(Debug)]
pub(super) enum Wish {
    /// A disk request, on its way under this number.
    Disk { shard: u16, owner: u32, token: u32, number: u64, nanos: u64, commit: bool },
    /// A message.
    Message { from: u16, to: u16, message: Message },
    /// A computation.
    Job { shard: u16, job: Job },
    /// Bytes for a client.
    Bytes { connection: u64, bytes: Vec<u8> },
    /// A connection is to be closed.
    Close { connection: u64 },
    /// A connection is to be read from again.
    Resume { connection: u64 },
    /// The shard accepts connections.
    Listen { shard: u16 },
    /// The shard is done.
    Exit { shard: u16, exit: Exit },
}

/// Sizes small enough that everything happens often.
pub(super) fn shard_configs(
    shards: u16,
    prng: &mut Prng,
    settings: &Arc<BrokerSettings>,
) -> Vec<ShardConfig> {
    let root = FileName::new(ROOT);
    let mut wal = WalLimits {
        bytes_max: 256 << 10 << prng.below(3),
        first_file_bytes: 64 << 10,
        file_bytes_max: 128 << 10,
        commit_bytes_max: 8 << 10 << prng.below(3),
    };
    let tail_bytes_max: usize = 128 << 10 << prng.below(4);
    let map_bytes_max = tail_bytes_max / 64;
    // As a real broker's: what a start replays fits into the tails.
    wal.bytes_max = wal.bytes_max.min((tail_bytes_max as u64 / 2).max(4 * wal.first_file_bytes));
    let checkpoint_bytes = 16 << 10 << prng.below(4);
    (0..shards)
        .map(|shard| ShardConfig {
            shard: ShardId::new(shard),
            shards,
            settings: Arc::clone(settings),
            identity: Identity {
                node: NodeId::new(1),
                host: "sim".to_owned(),
                port: 9092,
                rack: None,
            },
            root: root.clone(),
            seed: prng.next_u64(),
            request_memory_bytes: 128 << 10,
            store: StoreConfig {
                log_directory: root.clone(),
                log_directory_id: Uuid::ZERO,
                wal_parent: root.join("wal"),
                wal_id: 0,
                shard: ShardId::new(shard),
                wal,
                tail_bytes_max,
                checkpoint_bytes,
                checkpoint_interval: core::time::Duration::from_millis(20),
                reserve_bytes: 256 << 10,
                producer_expiry: core::time::Duration::from_secs(86_400),
                retention_interval: core::time::Duration::from_millis(25),
                compaction: CompactionLimits {
                    enabled: true,
                    map_bytes_max,
                    bytes_per_second: u64::MAX,
                    backoff: core::time::Duration::from_millis(10),
                },
            },
        })
        .collect()
}

/// A broker that runs.
#[derive(Debug)]
pub(super) struct SimBroker {
    pub(super) shards: Vec<Option<Shard>>,
    /// Which shard a connection is with.
    pub(super) homes: BTreeMap<u64, u16>,
    effects: Vec<Effect>,
    flushes: Vec<ConnectionId>,
}

impl SimBroker {
    pub(super) fn new(configs: Vec<ShardConfig>) -> Self {
        Self {
            shards: configs.into_iter().map(|config| Some(Shard::new(config))).collect(),
            homes: BTreeMap::new(),
            effects: Vec::new(),
            flushes: Vec::new(),
        }
    }

    pub(super) fn shard(&mut self, shard: u16) -> Option<&mut Shard> {
        self.shards.get_mut(usize::from(shard))?.as_mut()
    }

    /// Gives a shard an input, and collects what follows at once: bytes for clients.
    pub(super) fn handle(
        &mut self,
        now: Now,
        shard: u16,
        input: Input,
        disk: &SimDisk,
        wishes: &mut Vec<Wish>,
    ) {
        let Some(running) = self.shard(shard) else { return };
        running.handle(now, input);
        self.flush(now, shard, disk, wishes);
    }

    /// Ends a shard's turn, and collects everything that it wants.
    pub(super) fn end_turn(
        &mut self,
        now: Now,
        shard: u16,
        disk: &mut SimDisk,
        wishes: &mut Vec<Wish>,
    ) {
        self.handle(now, shard, Input::TurnEnded, disk, wishes);
        let mut effects = std::mem::take(&mut self.effects);
        if let Some(running) = self.shard(shard) {
            running.take_effects(&mut effects);
        }
        for effect in effects.drain(..) {
            self.effect(shard, effect, disk, wishes);
        }
        self.effects = effects;
    }

    fn effect(&mut self, shard: u16, effect: Effect, disk: &mut SimDisk, wishes: &mut Vec<Wish>) {
        match effect {
            Effect::Close(connection) => {
                self.homes.remove(&connection.get());
                wishes.push(Wish::Close { connection: connection.get() });
            }
            Effect::Resume(connection) => {
                wishes.push(Wish::Resume { connection: connection.get() });
            }
            Effect::Disk(DiskRequest { owner, token, op }) => {
                let commit = Owner::decode(owner) == Owner::Wal && SimDisk::is_commit(&op);
                let (number, nanos) = disk.submit(op);
                wishes.push(Wish::Disk { shard, owner, token, number, nanos, commit });
            }
            Effect::Send { to, message } => {
                wishes.push(Wish::Message { from: shard, to: to.get(), message });
            }
            Effect::Compute(job) => wishes.push(Wish::Job { shard, job }),
            Effect::Listen => wishes.push(Wish::Listen { shard }),
            Effect::StopListening | Effect::Log(_) => {}
            Effect::Exit(exit) => wishes.push(Wish::Exit { shard, exit }),
        }
    }

    fn flush(&mut self, now: Now, shard: u16, disk: &SimDisk, wishes: &mut Vec<Wish>) {
        let mut flushes = std::mem::take(&mut self.flushes);
        while let Some(running) = self.shard(shard) {
            running.take_flushes(&mut flushes);
            if flushes.is_empty() {
                break;
            }
            for connection in flushes.drain(..) {
                let outbox = running.outbox(connection);
                let Some(bytes) = outbox.map(|outbox| content(outbox, disk)) else { continue };
                let sent = Input::Sent { connection, bytes: bytes.len() as u64 };
                running.handle(now, sent);
                wishes.push(Wish::Bytes { connection: connection.get(), bytes });
            }
        }
        self.flushes = flushes;
    }
}

/// The bytes that wait, files' included.
fn content(outbox: &Outbox, disk: &SimDisk) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in outbox.pieces() {
        match piece {
            Piece::Bytes(piece) => bytes.extend_from_slice(piece),
            Piece::File { file, position, len } => {
                bytes.extend_from_slice(&disk.peek(file, position, len));
            }
        }
    }
    bytes
}
