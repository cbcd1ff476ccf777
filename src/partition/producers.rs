//! Idempotent producers of one partition (KIP-98): the last five batches of each, so that a retry
//! is answered with the offset it already has, and gaps and old epochs are refused.

use core::time::Duration;
use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::record::{BatchHeader, crc32c};
use crate::types::{Instant, Map, Offset, ProducerEpoch, ProducerId, Timestamp};

/// Batches remembered per producer: clients have at most five requests under way per partition.
const BATCHES_MAX: usize = 5;
/// Producers remembered per partition. Any client can make up producer ids, one with each batch,
/// and Kafka remembers all of them until they expire.
const PRODUCERS_MAX: usize = 1 << 16;
/// Producers remembered whose batch was refused.
const REFUSED_MAX: usize = 256;
/// How long: by then clients have sent it again, or given it up (`delivery.timeout.ms` is 2 minutes).
const REFUSED_AGE: Duration = Duration::from_secs(300);
/// The version of Kafka's snapshot file.
const SNAPSHOT_VERSION: i16 = 1;

/// A batch that was appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerBatch {
    /// The sequence of its first record.
    pub first_sequence: i32,
    /// The sequence of its last record.
    pub last_sequence: i32,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// Its largest timestamp.
    pub timestamp: Timestamp,
}

impl ProducerBatch {
    /// What a batch with its final offsets leaves behind.
    pub fn of(header: &BatchHeader) -> Self {
        Self {
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            timestamp: header.max_timestamp,
        }
    }

    fn offset_delta(&self) -> i32 {
        let delta = i64::from(self.last_sequence) - i64::from(self.first_sequence);
        // Sequences go from the largest number on to 0.
        if delta >= 0 { delta as i32 } else { (delta + i64::from(i32::MAX) + 1) as i32 }
    }

    /// The offset of its first record.
    pub fn base_offset(&self) -> Offset {
        self.last_offset.plus(-i64::from(self.offset_delta()))
    }
}

/// What is known of one producer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProducerEntry {
    /// The newest epoch that wrote.
    pub epoch: ProducerEpoch,
    /// The timestamp of its last batch, which is its client's to choose.
    pub last_timestamp: Timestamp,
    /// When it last wrote, by this broker's clock; at the latest when this process took it over.
    pub seen: Instant,
    /// The last batches, oldest first, at most five.
    pub batches: SmallVec<[ProducerBatch; BATCHES_MAX]>,
}

/// What to do with a batch of an idempotent producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SequenceCheck {
    /// It continues what is there.
    Append,
    /// It is there already.
    Duplicate(ProducerBatch),
    /// A sequence is missing in between, or a new epoch does not begin with 0.
    OutOfOrder,
    /// A newer epoch has written.
    OldEpoch,
}

/// More than is ever remembered of a partition's producers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooMany;

/// The producers of one partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Producers {
    entries: Map<ProducerId, ProducerEntry>,
    /// Unknown producers for whose batch the device had no space, the last refused last.
    refused: VecDeque<Refused>,
}

/// A batch of an unknown producer that was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Refused {
    id: ProducerId,
    epoch: ProducerEpoch,
    base_sequence: i32,
    /// When it was refused last.
    at: Instant,
}

impl Producers {
    /// The number of producers.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All producers, by id.
    pub fn sorted(&self) -> Vec<(ProducerId, &ProducerEntry)> {
        let mut entries: Vec<_> = self.entries.iter().map(|(id, entry)| (*id, entry)).collect();
        entries.sort_by_key(|(id, _)| *id);
        entries
    }

    /// Judges a batch by its header.
    pub fn check(&self, header: &BatchHeader) -> SequenceCheck {
        let Some(entry) = self.entries.get(&header.producer_id) else {
            // After expiry or retention anything is accepted, as in Kafka: the client has moved on.
            // What it sent behind a refused batch must not overtake that, though.
            let refused = self.refused.iter().find(|refused| refused.is_of(header));
            let overtakes =
                refused.is_some_and(|refused| refused.base_sequence != header.base_sequence);
            return if overtakes { SequenceCheck::OutOfOrder } else { SequenceCheck::Append };
        };
        if header.producer_epoch < entry.epoch {
            return SequenceCheck::OldEpoch;
        }
        if header.producer_epoch > entry.epoch {
            let begins = header.base_sequence == 0;
            return if begins { SequenceCheck::Append } else { SequenceCheck::OutOfOrder };
        }
        let (first, last) = (header.base_sequence, header.last_sequence());
        let same =
            |batch: &&ProducerBatch| batch.first_sequence == first && batch.last_sequence == last;
        if let Some(duplicate) = entry.batches.iter().find(same) {
            return SequenceCheck::Duplicate(*duplicate);
        }
        let newest = entry.batches.last().map(|batch| batch.last_sequence);
        let follows = newest.is_none_or(|newest| follows(newest, first));
        if follows { SequenceCheck::Append } else { SequenceCheck::OutOfOrder }
    }

    /// The newest epoch of a producer.
    ///
    /// # Panics
    /// When the producer is not known.
    pub fn epoch_of(&self, id: ProducerId) -> ProducerEpoch {
        self.entries[&id].epoch
    }

    /// Notes a batch that was refused, though its client may send it again.
    pub fn refused(&mut self, header: &BatchHeader, now: Instant) {
        if !header.has_producer() || self.entries.contains_key(&header.producer_id) {
            return;
        }
        self.refused.retain(|refused| refused.id != header.producer_id);
        if self.refused.len() == REFUSED_MAX {
            self.refused.pop_front();
        }
        self.refused.push_back(Refused {
            id: header.producer_id,
            epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            at: now,
        });
    }

    /// Notes a batch that was appended.
    pub fn appended(&mut self, header: &BatchHeader, now: Instant) {
        if !header.has_producer() {
            return;
        }
        if !self.refused.is_empty() {
            self.refused.retain(|refused| refused.id != header.producer_id);
        }
        if self.entries.len() == PRODUCERS_MAX && !self.entries.contains_key(&header.producer_id) {
            self.forget_some();
        }
        let entry = self.entries.entry(header.producer_id).or_insert_with(|| ProducerEntry {
            epoch: header.producer_epoch,
            last_timestamp: header.max_timestamp,
            seen: now,
            batches: SmallVec::new(),
        });
        if entry.epoch != header.producer_epoch {
            entry.epoch = header.producer_epoch;
            entry.batches.clear();
        }
        if entry.batches.len() == BATCHES_MAX {
            entry.batches.remove(0);
        }
        entry.last_timestamp = header.max_timestamp;
        entry.seen = now;
        entry.batches.push(ProducerBatch::of(header));
    }

    /// Forgets the eighth of all that has been silent for longest, so that it is seldom needed.
    fn forget_some(&mut self) {
        let mut seen: Vec<_> = self.entries.iter().map(|(id, entry)| (entry.seen, *id)).collect();
        let forgotten = seen.len() / 8;
        seen.select_nth_unstable(forgotten);
        for (_, id) in &seen[..forgotten] {
            self.entries.remove(id);
        }
    }

    /// Puts back what a checkpoint has of a producer.
    ///
    /// # Errors
    /// These are more producers, or more batches of one, than a checkpoint was ever given.
    pub fn restore(&mut self, id: ProducerId, entry: ProducerEntry) -> Result<(), TooMany> {
        self.entries.insert(id, entry);
        let most = self.entries[&id].batches.len() <= BATCHES_MAX;
        if most && self.entries.len() <= PRODUCERS_MAX { Ok(()) } else { Err(TooMany) }
    }

    /// Forgets producers that have not written for `age`. Kafka goes by the timestamp of the last
    /// batch instead, so that the producer of a backfill, whose records are old, is forgotten while
    /// it writes.
    pub fn expire(&mut self, now: Instant, age: Duration) {
        self.entries.retain(|_, entry| now.since(entry.seen) < age);
        self.refused.retain(|refused| now.since(refused.at) < REFUSED_AGE);
    }

    /// Kafka's snapshot file: of each producer the last batch. Version, CRC-32C, then the entries.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut entries = Vec::new();
        let count = i32::try_from(self.entries.len()).expect("fewer producers than 2^31");
        entries.extend_from_slice(&count.to_be_bytes());
        for (id, entry) in self.sorted() {
            let Some(last) = entry.batches.last() else { continue };
            entries.extend_from_slice(&id.get().to_be_bytes());
            entries.extend_from_slice(&entry.epoch.get().to_be_bytes());
            entries.extend_from_slice(&last.last_sequence.to_be_bytes());
            entries.extend_from_slice(&last.last_offset.get().to_be_bytes());
            entries.extend_from_slice(&last.offset_delta().to_be_bytes());
            entries.extend_from_slice(&entry.last_timestamp.get().to_be_bytes());
            // No coordinator epoch, no open transaction.
            entries.extend_from_slice(&(-1i32).to_be_bytes());
            entries.extend_from_slice(&(-1i64).to_be_bytes());
        }
        let mut file = SNAPSHOT_VERSION.to_be_bytes().to_vec();
        file.extend_from_slice(&crc32c(&entries).to_be_bytes());
        file.extend_from_slice(&entries);
        file
    }
}

impl Refused {
    fn is_of(&self, header: &BatchHeader) -> bool {
        (self.id, self.epoch) == (header.producer_id, header.producer_epoch)
    }
}

/// Whether `first` continues a producer whose last sequence was `newest`.
fn follows(newest: i32, first: i32) -> bool {
    i64::from(first) == i64::from(newest) + 1 || (first == 0 && newest == i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Attributes;
    use crate::types::LeaderEpoch;

    fn at(seconds: u64) -> Instant {
        Instant::new(seconds * 1_000_000_000)
    }

    fn header(epoch: i16, first: i32, count: i32, offset: i64) -> BatchHeader {
        BatchHeader {
            base_offset: Offset::new(offset),
            batch_length: 100,
            leader_epoch: LeaderEpoch::new(0),
            crc: 0,
            attributes: Attributes::new(0),
            last_offset_delta: count - 1,
            base_timestamp: Timestamp::new(5),
            max_timestamp: Timestamp::new(5),
            producer_id: ProducerId::new(9),
            producer_epoch: ProducerEpoch::new(epoch),
            base_sequence: first,
            record_count: count,
        }
    }

    #[test]
    fn a_retry_gets_the_offset_it_already_has() {
        let mut producers = Producers::default();
        for batch in 0..7 {
            let header = header(0, batch * 10, 10, i64::from(batch) * 10);
            assert_eq!(producers.check(&header), SequenceCheck::Append);
            producers.appended(&header, at(2));
        }
        let SequenceCheck::Duplicate(found) = producers.check(&header(0, 20, 10, 0)) else {
            panic!("the fifth last batch is remembered")
        };
        assert_eq!((found.base_offset().get(), found.last_offset.get()), (20, 29));
        assert_eq!(producers.check(&header(0, 10, 10, 0)), SequenceCheck::OutOfOrder);
        assert_eq!(producers.check(&header(0, 20, 5, 0)), SequenceCheck::OutOfOrder);
        assert_eq!(producers.check(&header(0, 71, 1, 0)), SequenceCheck::OutOfOrder);
        assert_eq!(producers.check(&header(0, 70, 1, 0)), SequenceCheck::Append);
    }

    #[test]
    fn a_new_epoch_begins_with_zero_and_fences_the_old() {
        let mut producers = Producers::default();
        producers.appended(&header(3, 0, 1, 0), at(2));
        assert_eq!(producers.check(&header(4, 1, 1, 1)), SequenceCheck::OutOfOrder);
        assert_eq!(producers.check(&header(4, 0, 1, 1)), SequenceCheck::Append);
        producers.appended(&header(4, 0, 1, 1), at(2));
        assert_eq!(producers.check(&header(3, 1, 1, 2)), SequenceCheck::OldEpoch);
    }

    #[test]
    fn sequences_go_on_from_the_largest_number_to_zero() {
        let mut producers = Producers::default();
        let wrapping = header(0, i32::MAX - 1, 4, 100);
        assert_eq!(wrapping.last_sequence(), 1);
        producers.appended(&wrapping, at(2));
        assert_eq!(
            producers.check(&wrapping),
            SequenceCheck::Duplicate(ProducerBatch::of(&wrapping))
        );
        assert_eq!(ProducerBatch::of(&wrapping).base_offset().get(), 100);
        assert_eq!(producers.check(&header(0, 2, 1, 104)), SequenceCheck::Append);
        let mut at_end = Producers::default();
        at_end.appended(&header(0, i32::MAX, 1, 0), at(2));
        assert_eq!(at_end.check(&header(0, 0, 1, 1)), SequenceCheck::Append);
    }

    #[test]
    fn an_unknown_producer_may_begin_anywhere_and_a_silent_one_is_forgotten() {
        let mut producers = Producers::default();
        assert_eq!(producers.check(&header(0, 77, 1, 0)), SequenceCheck::Append);
        producers.appended(&header(0, 77, 1, 0), at(2));
        producers.expire(at(6), Duration::from_secs(5));
        assert_eq!(producers.len(), 1);
        producers.expire(at(7), Duration::from_secs(5));
        assert!(producers.is_empty());
    }

    /// As Java's producer sends five at a time: the second would take the place of the first.
    #[test]
    fn what_follows_a_refused_first_batch_waits_for_it() {
        let mut producers = Producers::default();
        producers.refused(&header(3, 0, 2, 0), at(1));
        assert_eq!(producers.check(&header(3, 2, 1, 0)), SequenceCheck::OutOfOrder);
        assert_eq!(producers.check(&header(4, 2, 1, 0)), SequenceCheck::Append, "it has moved on");
        assert_eq!(producers.check(&header(3, 0, 2, 0)), SequenceCheck::Append);
        producers.appended(&header(3, 0, 2, 0), at(2));
        assert_eq!(producers.check(&header(3, 2, 1, 2)), SequenceCheck::Append);
        assert!(producers.refused.is_empty());
        // One that was forgotten goes on in the middle of its sequence.
        let other =
            |first| BatchHeader { producer_id: ProducerId::new(5), ..header(0, first, 2, 0) };
        producers.refused(&other(10), at(1));
        assert_eq!(producers.check(&other(12)), SequenceCheck::OutOfOrder);
        assert_eq!(producers.check(&other(10)), SequenceCheck::Append);
        producers.expire(at(301), Duration::from_secs(1000));
        assert_eq!(producers.check(&other(12)), SequenceCheck::Append, "it was given up");
        for id in 0..2 * REFUSED_MAX as i64 {
            let made_up = BatchHeader { producer_id: ProducerId::new(id), ..header(0, 0, 1, 0) };
            producers.refused(&made_up, at(400));
        }
        assert_eq!(producers.refused.len(), REFUSED_MAX);
    }

    /// The records of these batches are from 1970.
    #[test]
    fn a_producer_of_old_records_is_remembered_while_it_writes() {
        let mut producers = Producers::default();
        for batch in 0..10 {
            producers.appended(&header(0, batch, 1, i64::from(batch)), at(1000 + batch as u64));
            producers.expire(at(1000 + batch as u64), Duration::from_secs(5));
        }
        let last = producers.check(&header(0, 9, 1, 0));
        assert!(matches!(last, SequenceCheck::Duplicate(_)), "{last:?}");
    }

    #[test]
    fn who_makes_up_producer_ids_makes_others_forgotten_not_memory_used() {
        let mut producers = Producers::default();
        let of = |id: usize| BatchHeader {
            producer_id: ProducerId::new(id as i64),
            ..header(0, 0, 1, 0)
        };
        for id in 0..2 * PRODUCERS_MAX {
            producers.appended(&of(id), at(id as u64));
            // This one goes on writing.
            if id % 1000 == 0 {
                producers.appended(&of(0), at(id as u64));
            }
            assert!(producers.len() <= PRODUCERS_MAX);
        }
        let known = |id| producers.entries.contains_key(&ProducerId::new(id as i64));
        assert!(known(0) && !known(1) && known(2 * PRODUCERS_MAX - PRODUCERS_MAX / 2));
    }

    #[test]
    fn no_more_is_restored_than_is_remembered() {
        let mut producers = Producers::default();
        producers.appended(&header(0, 0, 1, 0), at(0));
        let entry = producers.entries[&ProducerId::new(9)].clone();
        let mut many = entry.clone();
        many.batches = SmallVec::from_elem(entry.batches[0], BATCHES_MAX + 1);
        assert_eq!(Producers::default().restore(ProducerId::new(0), many), Err(TooMany));
        let mut restored = Producers::default();
        for id in 0..PRODUCERS_MAX {
            assert_eq!(restored.restore(ProducerId::new(id as i64), entry.clone()), Ok(()));
        }
        assert_eq!(restored.restore(ProducerId::new(-2), entry), Err(TooMany));
    }
}
