//! What compaction keeps of a batch: Kafka's rules (KIP-58, KIP-354, KIP-534).

use core::time::Duration;
use std::sync::Arc;

use super::CompactionError;
use super::latest_offsets::{LatestOffsets, SECTION_BYTES_MAX};
use crate::planted::{Bug, planted};
use crate::record::{Batch, BatchBuilder, BatchHeader, BatchOptions, Record};
use crate::types::{Map, Offset, ProducerId, Timestamp};

/// By which rules records are kept.
#[derive(Clone, Debug)]
pub(super) struct KeepRules {
    /// When the compaction began.
    pub now: Timestamp,
    /// `delete.retention.ms`: how long tombstones are kept once a compaction has seen them.
    pub delete_retention: Duration,
    /// The last batch of each producer that may still write: its header stays, for its sequence.
    pub last_of_producers: Arc<Map<ProducerId, Offset>>,
}

impl KeepRules {
    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        header.has_producer()
            && self.last_of_producers.get(&header.producer_id) == Some(&header.last_offset())
    }

    fn horizon(&self) -> Timestamp {
        let retention = i64::try_from(self.delete_retention.as_millis()).unwrap_or(i64::MAX);
        Timestamp::new(self.now.get().saturating_add(retention))
    }

    fn keeps(
        &self,
        record: &Record<'_>,
        latest: &LatestOffsets,
        horizon: Option<Timestamp>,
    ) -> bool {
        // What the map has not seen may be the last of its key.
        if record.offset >= latest.end() {
            return !planted(Bug::ExpireUnseen) || record.value.is_some();
        }
        let Some(key) = record.key else { return false };
        let expired = horizon.is_some_and(|horizon| self.now >= horizon);
        let expired = expired && !latest.has_unread();
        latest.is_latest(key, record.offset) && (record.value.is_some() || !expired)
    }
}

/// Appends to `out` what stays of a batch. Offsets, and the base offset and last offset of the
/// batch, stay as they are. Control batches stay: there are no transactions whose end they could
/// outlive. So does a batch that is whole and cannot be looked into, as it was written by a client;
/// tombstones behind it stay too, for they may delete what it holds.
pub(super) fn keep(
    batch: &Batch<'_>,
    latest: &mut LatestOffsets,
    rules: &KeepRules,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), CompactionError> {
    let header = batch.header();
    let damaged = CompactionError::Damaged(header.base_offset);
    if !batch.checksum_holds() {
        return Err(damaged);
    }
    if header.attributes.is_control() {
        out.extend_from_slice(batch.bytes());
        return Ok(());
    }
    let horizon = header.attributes.has_delete_horizon().then_some(header.base_timestamp);
    let records = batch.records(SECTION_BYTES_MAX, scratch).ok();
    let Some(mut kept) = records.and_then(|it| it.collect::<Result<Vec<_>, _>>().ok()) else {
        latest.kept_unread();
        out.extend_from_slice(batch.bytes());
        return Ok(());
    };
    let count = kept.len();
    kept.retain(|record| rules.keeps(record, latest, horizon));
    if kept.is_empty() && !rules.is_last_of_producer(header) {
        return Ok(());
    }
    let sets_horizon = horizon.is_none() && kept.iter().any(|record| record.value.is_none());
    if kept.len() == count && !sets_horizon {
        out.extend_from_slice(batch.bytes());
        return Ok(());
    }
    let delete_horizon = if sets_horizon { Some(rules.horizon()) } else { horizon };
    let options = BatchOptions { delete_horizon, ..BatchOptions::like(header) };
    rebuild(header, options, &kept, out).map_err(|_| damaged)
}

fn rebuild(
    header: &BatchHeader,
    options: BatchOptions,
    kept: &[Record<'_>],
    out: &mut Vec<u8>,
) -> Result<(), crate::record::BuildError> {
    let mut builder = BatchBuilder::new(options);
    for record in kept {
        builder.append_record(record)?;
    }
    if kept.is_empty() {
        builder.extend_max_timestamp(header.max_timestamp);
    }
    builder.extend_to(header.last_offset())?;
    builder.finish(out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Batches, NewRecord, Producer};
    use crate::types::ProducerEpoch;

    const DAY: i64 = 86_400_000;

    fn batch(base: i64, producer: i64, records: &[(Option<&str>, Option<&str>)]) -> Vec<u8> {
        let producer = Producer {
            id: ProducerId::new(producer),
            epoch: ProducerEpoch::new(0),
            base_sequence: if producer < 0 { -1 } else { base as i32 },
        };
        let base_offset = Offset::new(base);
        let options = BatchOptions { base_offset, producer, ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        for (at, (key, value)) in (0..).zip(records) {
            let record = NewRecord {
                timestamp: Timestamp::new(100 + base + at),
                key: key.map(str::as_bytes),
                value: value.map(str::as_bytes),
                headers: &[],
            };
            builder.append(&record).unwrap();
        }
        let mut out = Vec::new();
        builder.finish(&mut out).unwrap();
        out
    }

    fn latest(log: &[u8]) -> LatestOffsets {
        let mut latest = LatestOffsets::new(Offset::ZERO, 1 << 20);
        Batches::new(log).for_each(|batch| assert!(latest.see(&batch, &mut Vec::new())));
        latest
    }

    fn rules(now: i64, producers: &[(i64, i64)]) -> KeepRules {
        let last =
            producers.iter().map(|(id, offset)| (ProducerId::new(*id), Offset::new(*offset)));
        KeepRules {
            now: Timestamp::new(now),
            delete_retention: Duration::from_millis(DAY as u64),
            last_of_producers: Arc::new(last.collect()),
        }
    }

    fn compacted(log: &[u8], latest: &LatestOffsets, rules: &KeepRules) -> Vec<u8> {
        let (mut latest, mut out) = (latest.clone(), Vec::new());
        Batches::new(log)
            .for_each(|batch| keep(&batch, &mut latest, rules, &mut Vec::new(), &mut out).unwrap());
        out
    }

    /// Offset, key and value of each record, and base offset and last offset of each batch.
    type Seen = (Vec<(i64, String, Option<String>)>, Vec<(i64, i64)>);

    fn seen(log: &[u8]) -> Seen {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (mut records, mut batches) = (Vec::new(), Vec::new());
        for batch in Batches::new(log) {
            assert!(batch.checksum_holds());
            let header = batch.header();
            batches.push((header.base_offset.get(), header.last_offset().get()));
            for record in batch.records(1 << 20, &mut Vec::new()).unwrap() {
                let record = record.unwrap();
                assert_eq!(record.timestamp.get(), 100 + record.offset.get());
                let key = text(record.key.unwrap());
                records.push((record.offset.get(), key, record.value.map(text)));
            }
        }
        (records, batches)
    }

    fn record(offset: i64, key: &str, value: &str) -> (i64, String, Option<String>) {
        (offset, key.to_owned(), Some(value.to_owned()))
    }

    #[test]
    fn the_last_record_of_each_key_stays_at_its_offset() {
        let log = [
            batch(0, -1, &[(Some("a"), Some("1")), (Some("b"), Some("1")), (Some("a"), Some("2"))]),
            batch(3, -1, &[(Some("b"), Some("2"))]),
            batch(4, -1, &[(Some("c"), Some("1")), (None, Some("no key"))]),
        ]
        .concat();
        let kept = compacted(&log, &latest(&log), &rules(0, &[]));
        let expected = vec![record(2, "a", "2"), record(3, "b", "2"), record(4, "c", "1")];
        assert_eq!(seen(&kept), (expected, vec![(0, 2), (3, 3), (4, 5)]));
    }

    #[test]
    fn what_the_map_has_not_seen_stays() {
        let first = batch(0, -1, &[(Some("a"), Some("1")), (Some("a"), Some("2"))]);
        let second = batch(2, -1, &[(Some("a"), Some("3")), (Some("a"), Some("4"))]);
        let log = [first.clone(), second].concat();
        let (records, _) = seen(&compacted(&log, &latest(&first), &rules(0, &[])));
        let expected = [record(1, "a", "2"), record(2, "a", "3"), record(3, "a", "4")];
        assert_eq!(records, expected);
    }

    #[test]
    fn a_tombstone_stays_until_its_horizon_that_the_first_compaction_sets() {
        let log = [
            batch(0, -1, &[(Some("a"), Some("1")), (Some("b"), Some("1"))]),
            batch(2, -1, &[(Some("a"), None)]),
        ]
        .concat();
        let latest = latest(&log);
        let once = compacted(&log, &latest, &rules(5, &[]));
        let with_tombstone = vec![record(1, "b", "1"), (2, "a".to_owned(), None)];
        assert_eq!(seen(&once).0, with_tombstone);
        let header = *Batches::new(&once).last().unwrap().header();
        assert!(header.attributes.has_delete_horizon());
        assert_eq!(header.base_timestamp.get(), 5 + DAY);
        assert_eq!(header.max_timestamp.get(), 102);
        // Later ones leave the horizon as it is.
        let twice = compacted(&once, &latest, &rules(4 + DAY, &[]));
        assert_eq!(twice, once);
        let late = compacted(&once, &latest, &rules(5 + DAY, &[]));
        assert_eq!(seen(&late), (vec![record(1, "b", "1")], vec![(0, 1)]));
    }

    #[test]
    fn a_live_producers_last_batch_leaves_its_header() {
        let log = [
            batch(0, 7, &[(Some("a"), Some("1"))]),
            batch(1, 7, &[(Some("a"), Some("2")), (Some("a"), Some("3"))]),
            batch(3, 8, &[(Some("a"), Some("4"))]),
            batch(4, -1, &[(Some("a"), Some("5"))]),
        ]
        .concat();
        let kept = compacted(&log, &latest(&log), &rules(0, &[(7, 2)]));
        assert_eq!(seen(&kept), (vec![record(4, "a", "5")], vec![(1, 2), (4, 4)]));
        let header = *Batches::new(&kept).next().unwrap().header();
        assert_eq!((header.record_count, header.base_sequence, header.last_sequence()), (0, 1, 2));
        assert_eq!(header.max_timestamp.get(), 102);
        // And an empty batch stays one, as long as its producer lives.
        let again = compacted(&kept, &latest(&log), &rules(0, &[(7, 2)]));
        assert_eq!(again, kept);
        let dead = compacted(&kept, &latest(&log), &rules(0, &[]));
        assert_eq!(seen(&dead).1, vec![(4, 4)]);
    }

    #[test]
    fn a_map_that_is_full_ends_with_a_batch() {
        let log: Vec<Vec<u8>> =
            (0..10).map(|at| batch(at, -1, &[(Some(&format!("key {at}")), None)])).collect();
        let mut latest = LatestOffsets::new(Offset::ZERO, 150);
        let seen = log
            .iter()
            .take_while(|bytes| latest.see(&Batch::first(bytes).unwrap(), &mut Vec::new()));
        assert_eq!((seen.count(), latest.end().get()), (3, 3));
    }

    #[test]
    fn a_damaged_batch_ends_it() {
        let mut log = batch(0, -1, &[(Some("a"), Some("1"))]);
        let mut map = latest(&log);
        *log.last_mut().unwrap() ^= 1;
        let damaged = keep(
            &Batch::first(&log).unwrap(),
            &mut map,
            &rules(0, &[]),
            &mut Vec::new(),
            &mut Vec::new(),
        );
        assert_eq!(damaged, Err(CompactionError::Damaged(Offset::ZERO)));
    }

    /// A client can write what is whole and cannot be looked into, or only in too much memory.
    #[test]
    fn a_batch_that_cannot_be_looked_into_stays_and_what_it_may_hold_is_not_deleted_for_good() {
        let mut unread = batch(1, -1, &[(Some("a"), Some("2"))]);
        // Its records are said to be compressed by a codec that does not exist.
        unread[22] |= 7;
        let checksum = crate::record::crc32c(&unread[21..]);
        unread[17..21].copy_from_slice(&checksum.to_be_bytes());
        let log = [
            batch(0, -1, &[(Some("a"), Some("1"))]),
            unread.clone(),
            batch(2, -1, &[(Some("a"), None)]),
        ];
        let latest = latest(&log.concat());
        assert_eq!(latest.end(), Offset::new(3));
        let once = compacted(&log.concat(), &latest, &rules(0, &[]));
        let late = compacted(&once, &latest, &rules(2 * DAY, &[]));
        assert_eq!(late, once);
        assert!(late.starts_with(&unread));
        let tombstone = &late[unread.len()..];
        assert_eq!(seen(tombstone).0, vec![(2, "a".to_owned(), None)]);
        assert_eq!(seen(&compacted(tombstone, &latest, &rules(2 * DAY, &[]))).0, vec![]);
    }
}
