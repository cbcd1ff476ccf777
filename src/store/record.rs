//! A partition's state as a checkpoint keeps it (`schema/internal/checkpoint.fbs`).

use flatbuffers::FlatBufferBuilder;

use crate::formats::checkpoint as format;
use crate::log::{LeaderEpochs, LogCheckpoint, Place};
use crate::partition::{Partition, ProducerBatch, ProducerEntry, Producers};
use crate::types::{
    Instant, LeaderEpoch, Offset, PartitionIndex, PartitionSequence, Position, ProducerEpoch,
    ProducerId, Timestamp, TopicPartition, Uuid,
};

/// Batches of one producer that are read back: more are refused, however many there are.
const BATCHES_READ_MAX: usize = 16;
/// Offsets, positions and sequences stay below this by far: what is counted on from there cannot
/// overflow.
const NUMBERS_BELOW: u64 = 1 << 62;

/// What a checkpoint says of one partition.
#[derive(Clone, Debug)]
pub struct PartitionRecord {
    /// Which one.
    pub id: TopicPartition,
    /// Its directory lies in this log directory.
    pub log_directory: Uuid,
    /// The state holds after this change.
    pub sequence: PartitionSequence,
    /// What is durable in the segments.
    pub log: LogCheckpoint,
    /// The log end, whose bytes the write-ahead log may have to complete.
    pub end_offset: Offset,
    /// The leader epochs.
    pub epochs: LeaderEpochs,
    /// The producers.
    pub producers: Producers,
    /// The first offset that compaction has not seen.
    pub first_dirty_offset: Offset,
}

/// Takes a partition's state as it is now.
pub(super) fn encode(
    builder: &mut FlatBufferBuilder<'_>,
    partition: &Partition,
    directory: Uuid,
) -> Vec<u8> {
    builder.reset();
    let producers: Vec<_> = partition
        .producers
        .sorted()
        .into_iter()
        .map(|(id, entry)| encode_producer(builder, id, entry))
        .collect();
    let producers = builder.create_vector(&producers);
    let epochs: Vec<_> = partition
        .epochs
        .entries()
        .iter()
        .map(|(epoch, start)| format::Epoch::new(epoch.get(), start.get()))
        .collect();
    let epochs = builder.create_vector(&epochs);
    let log = partition.log.checkpoint();
    let (timestamp, offset) = log.largest.unwrap_or((Timestamp::NONE, Offset::new(-1)));
    let record = format::Partition::create(
        builder,
        &format::PartitionArgs {
            topic: Some(&id_of(partition.id.topic)),
            partition: partition.id.partition.get(),
            log_directory: Some(&id_of(directory)),
            sequence: partition.sequence.get(),
            segment_base_offset: log.synced.segment_base_offset.get(),
            synced_position: log.synced.position.get(),
            largest_timestamp: timestamp.get(),
            largest_timestamp_offset: offset.get(),
            end_offset: partition.log.end_offset().get(),
            log_start_offset: log.start_offset.get(),
            epochs: Some(epochs),
            producers: Some(producers),
            first_dirty_offset: partition.first_dirty_offset.get(),
        },
    );
    builder.finish(record, None);
    builder.finished_data().to_vec()
}

fn id_of(id: Uuid) -> format::Id {
    let (high, low) = id.halves();
    format::Id::new(high, low)
}

fn encode_producer<'b>(
    builder: &mut FlatBufferBuilder<'b>,
    id: ProducerId,
    entry: &ProducerEntry,
) -> flatbuffers::WIPOffset<format::Producer<'b>> {
    let batches: Vec<_> = entry
        .batches
        .iter()
        .map(|batch| {
            format::ProducerBatch::new(
                batch.first_sequence,
                batch.last_sequence,
                batch.last_offset.get(),
                batch.timestamp.get(),
            )
        })
        .collect();
    let batches = builder.create_vector(&batches);
    format::Producer::create(
        builder,
        &format::ProducerArgs {
            producer_id: id.get(),
            producer_epoch: entry.epoch.get(),
            last_timestamp: entry.last_timestamp.get(),
            batches: Some(batches),
        },
    )
}

/// Reads a record back; `None` when it is none. Its producers count as seen `now`.
pub(super) fn decode(bytes: &[u8], now: Instant) -> Option<PartitionRecord> {
    // Each producer is a table, and the library's own bound is a million of them.
    let record = flatbuffers::root::<format::Partition<'_>>(bytes).ok()?;
    let topic = record.topic()?;
    let directory = record.log_directory()?;
    if !is_possible(&record) {
        return None;
    }
    let mut producers = Producers::default();
    for producer in record.producers().into_iter().flatten() {
        let batches = producer.batches().into_iter().flatten().map(|batch| ProducerBatch {
            first_sequence: batch.first_sequence(),
            last_sequence: batch.last_sequence(),
            last_offset: Offset::new(batch.last_offset()),
            timestamp: Timestamp::new(batch.timestamp()),
        });
        let entry = ProducerEntry {
            seen: now,
            epoch: ProducerEpoch::new(producer.producer_epoch()),
            last_timestamp: Timestamp::new(producer.last_timestamp()),
            batches: batches.take(BATCHES_READ_MAX).collect(),
        };
        producers.restore(ProducerId::new(producer.producer_id()), entry).ok()?;
    }
    let epochs =
        record.epochs().into_iter().flatten().map(|epoch| {
            (LeaderEpoch::new(epoch.leader_epoch()), Offset::new(epoch.start_offset()))
        });
    let timestamp = Timestamp::new(record.largest_timestamp());
    let synced = Place {
        segment_base_offset: Offset::new(record.segment_base_offset()),
        position: Position::new(record.synced_position()),
    };
    Some(PartitionRecord {
        id: TopicPartition {
            topic: Uuid::from_halves(topic.high(), topic.low()),
            partition: PartitionIndex::new(record.partition()),
        },
        log_directory: Uuid::from_halves(directory.high(), directory.low()),
        sequence: PartitionSequence::new(record.sequence()),
        log: LogCheckpoint {
            synced,
            start_offset: Offset::new(record.log_start_offset()),
            largest: (timestamp != Timestamp::NONE)
                .then(|| (timestamp, Offset::new(record.largest_timestamp_offset()))),
        },
        end_offset: Offset::new(record.end_offset()),
        epochs: epochs.collect(),
        producers,
        first_dirty_offset: Offset::new(record.first_dirty_offset().clamp(0, record.end_offset())),
    })
}

/// Whether the numbers of a record can be those of a partition.
fn is_possible(record: &format::Partition<'_>) -> bool {
    let (base, end) = (record.segment_base_offset(), record.end_offset());
    let starts = [base, record.log_start_offset()];
    let epochs: Vec<_> = record.epochs().into_iter().flatten().collect();
    let ascend = |pair: &[&format::Epoch]| {
        pair[0].leader_epoch() < pair[1].leader_epoch()
            && pair[0].start_offset() < pair[1].start_offset()
    };
    starts.iter().all(|start| (0..=end).contains(start))
        && [end.cast_unsigned(), record.sequence(), record.synced_position()]
            .iter()
            .all(|number| *number < NUMBERS_BELOW)
        && epochs.windows(2).all(ascend)
}
