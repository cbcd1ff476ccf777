//! Why settings have no effect here. A setting that gains one loses its reason in its table.

use crate::config::definition::Effect::{self, NoEffect};

pub(super) const ACLS: Effect = NoEffect("there is no authorizer yet: everyone may do everything");
pub(super) const CHECKPOINTS: Effect =
    NoEffect("see checkpoint.bytes and checkpoint.interval.ms instead");
pub(super) const COMPACTION: Effect =
    NoEffect("each core compacts its own partitions, one at a time");
pub(super) const CONNECTIONS: Effect =
    NoEffect("takes effect with limits on connections, which are not built yet");
pub(super) const COORDINATOR: Effect =
    NoEffect("groups are written and read like all other partitions");
pub(super) const EVERY_ROLE: Effect = NoEffect("a node is broker and controller at once");
pub(super) const FLUSHES: Effect =
    NoEffect("when an append is on disk is what ack.durability says");
pub(super) const GROUPS: Effect =
    NoEffect("takes effect with the consumer protocol, which is not built yet");
pub(super) const JAVA: Effect = NoEffect("nothing written in Java is loaded");
pub(super) const JMX: Effect = NoEffect("metrics are neither sampled nor reported by JMX");
pub(super) const LAZY_EXPIRY: Effect = NoEffect("expiry is looked at when the memory is needed");
pub(super) const METADATA_LOG: Effect =
    NoEffect("metadata is kept in the write-ahead log and in snapshots of its own");
pub(super) const MUTATIONS: Effect =
    NoEffect("how many partitions a client creates and deletes is not limited yet");
pub(super) const ONE_DIRECTORY: Effect = NoEffect("a broker has one directory");
pub(super) const ONE_START: Effect = NoEffect("a start has no such phases");
pub(super) const ONE_THREAD_PER_CORE: Effect =
    NoEffect("one thread for each core does all of its work; see cores");
pub(super) const OUTGOING: Effect = NoEffect("this broker opens no connections yet");
pub(super) const PREALLOCATED: Effect = NoEffect("segments always take their space in steps");
pub(super) const PURGATORY: Effect = NoEffect("a wait is removed when it ends");
pub(super) const QUORUM: Effect = NoEffect("there is no quorum of controllers yet");
pub(super) const REMOVED_AT_ONCE: Effect =
    NoEffect("readers keep the files that they have opened, so that none has to wait");
pub(super) const REPLICATION: Effect = NoEffect("brokers do not replicate to each other yet");
pub(super) const SASL: Effect = NoEffect("there is no authentication yet");
pub(super) const SHARE: Effect = NoEffect("there are no share groups yet");
pub(super) const STABLE_ONLY: Effect = NoEffect("only stable versions are served");
pub(super) const STREAMS: Effect = NoEffect("there are no streams groups yet");
pub(super) const TELEMETRY: Effect = NoEffect("what clients send is not kept yet");
pub(super) const TIERED: Effect = NoEffect("there is no tiered storage yet");
pub(super) const TLS: Effect = NoEffect("there is no TLS yet");
pub(super) const TOKENS: Effect = NoEffect("there are no delegation tokens yet");
pub(super) const TRANSACTIONS: Effect = NoEffect("there are no transactions yet");
pub(super) const VARIABLES: Effect = NoEffect("values are taken as they stand");
