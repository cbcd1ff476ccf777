//! How a shard is doing, for those who watch it.

use std::sync::Arc;

use super::Shard;
use crate::metadata::Topic;
use crate::metrics::{Histogram, Metrics};
use crate::types::{Offset, PartitionIndex, ShardId};

/// How far a shard is between its start and its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// It has been asked to stop.
    Stopping,
    /// It accepts no connections yet.
    Starting,
    /// It accepts connections.
    Serving,
}

/// How a shard is doing.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which shard.
    pub shard: ShardId,
    /// What it has counted.
    pub metrics: Metrics,
    /// Open connections.
    pub connections: usize,
    /// Requests that wait for a commit, for data, for other shards or for the controller.
    pub waiting_requests: usize,
    /// Appends that are not durable yet.
    pub waiting_appends: usize,
    /// Appends and connections that wait for room in the store.
    pub waiting_for_room: usize,
    /// Memory.
    pub memory: MemoryReport,
    /// Commits of the write-ahead log.
    pub wal_commits: u64,
    /// Bytes that they took on the device.
    pub wal_written_bytes: u64,
    /// Bytes that a start would have to replay now.
    pub wal_live_bytes: u64,
    /// Bytes that can be logged before a checkpoint has to free some.
    pub wal_free_bytes: u64,
    /// The bytes of its files.
    pub wal_file_bytes: u64,
    /// How long commits took.
    pub wal_commit_time: Histogram,
    /// How long checkpoints took.
    pub checkpoint_time: Histogram,
    /// What the device has left, if it was looked at.
    pub device_free_bytes: Option<u64>,
    /// Appends are refused because the device is full.
    pub device_full: bool,
    /// The partitions that it owns.
    pub partitions: Vec<PartitionReport>,
}

/// The memory of a shard, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryReport {
    /// Requests that are not complete.
    pub requests: usize,
    /// What other cores and threads hold of this shard's.
    pub lent: usize,
    /// Recent data.
    pub tails: usize,
    /// The bound of that.
    pub tails_max: usize,
}

/// A partition.
#[derive(Clone, Debug)]
pub struct PartitionReport {
    /// Its topic.
    pub topic: Arc<Topic>,
    /// Its number.
    pub partition: PartitionIndex,
    /// The first offset that can be read.
    pub log_start_offset: Offset,
    /// The end of what consumers see.
    pub high_watermark: Offset,
    /// The bytes of its segments.
    pub size_bytes: u64,
    /// How many segments it has.
    pub segments: usize,
    /// Bytes appended since the process started.
    pub appended_bytes: u64,
}

impl Shard {
    /// How far the shard is.
    pub fn stage(&self) -> Stage {
        match (self.stopping, self.serving) {
            (true, _) => Stage::Stopping,
            (false, false) => Stage::Starting,
            (false, true) => Stage::Serving,
        }
    }

    /// How the shard is doing. Takes time for each of its partitions.
    pub fn report(&mut self) -> Report {
        let lent = self.parts.outbound.lent_bytes();
        let store = &self.parts.store;
        let (wal_commits, wal_written_bytes) = store.wal().written();
        let (waiting_appends, queued) = store.waiting_appends();
        Report {
            shard: self.parts.shard,
            metrics: self.metrics.clone(),
            connections: self.connections.len(),
            waiting_requests: self.operations.len(),
            waiting_appends,
            waiting_for_room: queued + self.connections.without_room.len(),
            memory: MemoryReport {
                requests: self.connections.permits.bytes_used(),
                lent,
                tails: store.tail_bytes(),
                tails_max: store.tail_bytes_max(),
            },
            wal_commits,
            wal_written_bytes,
            wal_live_bytes: store.wal().live_bytes(),
            wal_free_bytes: store.wal().free_bytes(),
            wal_file_bytes: store.wal().total_bytes(),
            wal_commit_time: store.figures().commit_time.clone(),
            checkpoint_time: store.figures().checkpoint_time.clone(),
            device_free_bytes: store.device_free_bytes(),
            device_full: store.is_device_full(),
            partitions: self.partition_reports(),
        }
    }

    fn partition_reports(&self) -> Vec<PartitionReport> {
        let image = &self.parts.image;
        let known = self.parts.store.partitions().filter_map(|partition| {
            // One that is being deleted has no name any more.
            let topic = Arc::clone(image.topic(partition.id.topic)?);
            Some(PartitionReport {
                topic,
                partition: partition.id.partition,
                log_start_offset: partition.log.start_offset(),
                high_watermark: partition.high_watermark().offset,
                size_bytes: partition.log.size_bytes(),
                segments: partition.log.segments(),
                appended_bytes: partition.end().bytes,
            })
        });
        known.collect()
    }
}
