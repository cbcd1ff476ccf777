//! A client for any Kafka broker, over blocking sockets: what the command line speaks.
//!
//! [`Cluster`] knows the brokers and leaders, [`Producer`] and [`Fetcher`] work on one topic, and
//! [`admin`] and its neighbours ask for changes. None of them shares code with the broker except the codec.

pub mod admin;
mod cluster;
pub mod configs;
mod connection;
mod failure;
mod fetcher;
pub mod groups;
pub mod log_directories;
mod offsets;
mod partitioner;
mod patience;
mod producer;
pub mod quotas;

pub use self::cluster::{Cluster, PartitionInfo, TopicInfo};
pub use self::connection::{Answer, Connection};
pub use self::failure::ClientError;
pub use self::fetcher::{Fetcher, Flow, Progress, Span};
pub use self::offsets::{OffsetAt, offsets};
pub use self::partitioner::{Partitioner, murmur2};
pub use self::patience::Patience;
pub use self::producer::{Acks, OutgoingRecord, Producer, ProducerOptions, Sent};
