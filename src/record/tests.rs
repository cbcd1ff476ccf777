//! Batches built here, checked as a client's, and read back.

use proptest::prelude::*;

use super::header::CHECKED_FROM;
use super::*;
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

const NOW: i64 = 1_700_000_000_000;

fn rules() -> Rules {
    Rules {
        bytes_max: 1 << 20,
        section_bytes_max: 1 << 20,
        zstd_allowed: true,
        transactional_allowed: true,
        keys_required: false,
        timestamps: TimestampRule::CreateTime { before_max_ms: i64::MAX, after_max_ms: 3_600_000 },
        validation: Validation::Full,
        now: Timestamp::new(NOW),
    }
}

fn check(bytes: &[u8], rules: &Rules) -> Result<BatchHeader, Invalid> {
    validate(bytes, rules).map(|validated| validated.header)
}

/// A record that owns its parts.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Owned {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn keyed(timestamp: i64) -> Owned {
    let (key, value) = (Some(b"key".to_vec()), Some(b"value".to_vec()));
    Owned { timestamp, key, value, headers: Vec::new() }
}

fn build(options: BatchOptions, records: &[Owned]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options);
    for record in records {
        let headers: Vec<Header<'_>> = record
            .headers
            .iter()
            .map(|(key, value)| Header { key, value: value.as_deref() })
            .collect();
        let new = NewRecord {
            timestamp: Timestamp::new(record.timestamp),
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &headers,
        };
        builder.append(&new).unwrap();
    }
    let mut out = b"before".to_vec();
    let header = builder.finish(&mut out).unwrap();
    let batch = out.split_off(6);
    assert_eq!(Batch::first(&batch).unwrap().header(), &header);
    batch
}

fn read(batch: &[u8]) -> Result<Vec<(i64, Owned)>, RecordError> {
    let mut scratch = Vec::new();
    let batch = Batch::first(batch).unwrap();
    let records = batch.records(1 << 24, &mut scratch).unwrap();
    records
        .map(|record| {
            let record = record?;
            let headers = record.headers.iter();
            let headers = headers.map(|header| (header.key.into(), header.value.map(Vec::from)));
            let owned = Owned {
                timestamp: record.timestamp.get(),
                key: record.key.map(Vec::from),
                value: record.value.map(Vec::from),
                headers: headers.collect(),
            };
            assert_eq!(record.headers.len(), owned.headers.len());
            assert_eq!(record.headers.is_empty(), owned.headers.is_empty());
            Ok((record.offset.get(), owned))
        })
        .collect()
}

fn plain() -> Vec<u8> {
    build(BatchOptions::default(), &[keyed(NOW), keyed(NOW - 7), keyed(NOW + 9)])
}

/// The batch with other bytes at `at` and the checksum to go with them.
fn patched(batch: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut patched = batch.to_vec();
    patched[at..at + bytes.len()].copy_from_slice(bytes);
    let crc = crc32c(&patched[CHECKED_FROM..]);
    patched[17..21].copy_from_slice(&crc.to_be_bytes());
    patched
}

/// A batch whose records are these bytes.
fn with_section(count: i32, section: &[u8]) -> Vec<u8> {
    let mut batch = plain();
    batch.truncate(HEADER_BYTES);
    batch.extend_from_slice(section);
    let length = (batch.len() - 12) as u32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[57..61].copy_from_slice(&count.to_be_bytes());
    patched(&batch, 23, &(count - 1).to_be_bytes())
}

fn nullable_bytes(max: usize) -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::weighted(0.8, proptest::collection::vec(any::<u8>(), 0..max))
}

fn records() -> impl Strategy<Value = Vec<Owned>> {
    let timestamp = prop_oneof![4 => NOW - 100..NOW + 100, 1 => 0..NOW, 1 => Just(-1_i64)];
    let name = proptest::collection::vec(any::<u8>(), 0..20);
    let headers = proptest::collection::vec((name, nullable_bytes(20)), 0..3);
    let headers = prop_oneof![3 => Just(Vec::new()), 1 => headers];
    let record = (timestamp, nullable_bytes(100), nullable_bytes(300), headers)
        .prop_map(|(timestamp, key, value, headers)| Owned { timestamp, key, value, headers });
    proptest::collection::vec(record, 1..90)
}

fn codec() -> impl Strategy<Value = Codec> {
    proptest::sample::select(&Codec::ALL[..])
}

fn options() -> impl Strategy<Value = BatchOptions> {
    let producer = (any::<i64>(), 0_i16.., 0_i32..).prop_map(|(id, epoch, base_sequence)| {
        let id = ProducerId::new(id & i64::MAX);
        Producer { id, epoch: ProducerEpoch::new(epoch), base_sequence }
    });
    (codec(), proptest::option::of((producer, any::<bool>()))).prop_map(|(codec, producer)| {
        BatchOptions {
            producer: producer.map_or(Producer::NONE, |(producer, _)| producer),
            transactional: producer.is_some_and(|(_, transactional)| transactional),
            compression: Compression::new(codec),
            ..BatchOptions::default()
        }
    })
}

proptest! {
    #[test]
    fn what_is_built_is_valid_and_reads_back(options in options(), records in records()) {
        let batch = build(options, &records);
        let header = check(&batch, &rules()).unwrap();
        prop_assert_eq!(header, *Batch::first(&batch).unwrap().header());
        prop_assert_eq!(header.attributes.codec(), Ok(options.compression.codec()));
        prop_assert_eq!(header.attributes.is_transactional(), options.transactional);
        prop_assert_eq!(header.has_producer(), options.producer != Producer::NONE);
        prop_assert_eq!(header.producer_id, options.producer.id);
        prop_assert_eq!(header.base_sequence, options.producer.base_sequence);
        let max = records.iter().map(|record| record.timestamp).max().unwrap();
        prop_assert_eq!(header.max_timestamp.get(), max);
        let expected: Vec<_> = (0_i64..).zip(records).collect();
        prop_assert_eq!(header.last_offset().get(), expected.len() as i64 - 1);
        prop_assert_eq!(read(&batch), Ok(expected));
    }

    #[test]
    fn recompression_keeps_everything_but_the_codec(
        options in options(),
        records in records(),
        codec in codec(),
    ) {
        let batch = build(options, &records);
        let validated = validate(&batch, &rules()).unwrap();
        let mut scratch = Vec::new();
        let section = Batch::first(&batch).unwrap().section(1 << 20, &mut scratch).unwrap();
        let mut out = Vec::new();
        let compression = Compression::new(codec);
        let header = recompress(&validated.header, section, compression, &mut out).unwrap();
        let expected = BatchHeader {
            batch_length: header.batch_length,
            crc: header.crc,
            attributes: validated.header.attributes.with_codec(codec),
            ..validated.header
        };
        prop_assert_eq!(header, expected);
        prop_assert_eq!(check(&out, &rules()), Ok(header));
        prop_assert_eq!(read(&out), read(&batch));
    }

    #[test]
    fn every_changed_byte_under_the_checksum_is_noticed(
        options in options(),
        records in records(),
        change in 1_u8..,
        at in any::<proptest::sample::Index>(),
    ) {
        let mut batch = build(options, &records);
        let at = CHECKED_FROM + at.index(batch.len() - CHECKED_FROM);
        batch[at] ^= change;
        // A codec, or a transaction, that is not allowed is noticed even before.
        prop_assert_eq!(check(&batch, &rules()), Err(Invalid::Checksum));
        prop_assert!(!Batch::first(&batch).unwrap().checksum_holds());
    }

    #[test]
    fn the_quick_walk_agrees_with_reading_each_record(
        mut records in records(),
        base in prop_oneof![3 => Just(NOW), 1 => -9000_i64..9000, 1 => i64::MAX - 9000..],
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..3),
    ) {
        for record in &mut records {
            record.timestamp = record.timestamp.wrapping_sub(NOW).wrapping_add(base);
        }
        let batch = build(BatchOptions::default(), &records);
        let mut section = batch[HEADER_BYTES..].to_vec();
        for (at, byte) in damage {
            let at = at.index(section.len());
            section[at] = byte;
        }
        check_walk(&section, records.len(), records[0].timestamp);
    }

    /// Passing over compressed records must find what reading each one finds.
    #[test]
    fn skimming_agrees_with_reading_each_record(
        records in records(),
        codec in codec(),
        large in 0_usize..200_000,
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut records = records;
        records[0].value = Some(vec![7; large]);
        let mut section = build(BatchOptions::default(), &records)[HEADER_BYTES..].to_vec();
        for (at, byte) in damage {
            let at = at.index(section.len());
            section[at] = byte;
        }
        let plain = with_section(records.len() as i32, &section);
        let mut compressed = Vec::new();
        compress(Compression::new(codec), &section, &mut compressed);
        let batch = with_section(records.len() as i32, &compressed);
        let batch = patched(&batch, 21, &u16::from(codec.id()).to_be_bytes());
        let without_codec = |checked: Result<BatchHeader, Invalid>| {
            checked.map(|header| (header.record_count, header.max_timestamp))
        };
        let (plain, skimmed) = (check(&plain, &rules()), check(&batch, &rules()));
        prop_assert_eq!(without_codec(plain).ok(), without_codec(skimmed).ok());
        prop_assert_eq!(matches!(plain, Err(Invalid::Record(_))), matches!(skimmed, Err(Invalid::Record(_))));
    }

    #[test]
    fn random_bytes_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        count in any::<i32>(),
        attributes in any::<u16>(),
    ) {
        let _ = check(&bytes, &rules());
        let mut batches = Batches::new(&bytes);
        batches.by_ref().for_each(drop);
        prop_assert!(batches.end().is_some());
        let batch = patched(&with_section(count.max(1), &bytes), 21, &attributes.to_be_bytes());
        let keys_required = Rules { keys_required: true, ..rules() };
        for rules in [rules(), keys_required] {
            let _ = validate(&batch, &rules);
            record_faults(&batch, &rules).for_each(drop);
        }
        let batch = Batch::first(&batch).unwrap();
        let mut scratch = Vec::new();
        if let Ok(records) = batch.records(1000, &mut scratch) {
            for record in records.flatten() {
                let _ = EndTransactionMarker::from_record(&record);
                record.headers.iter().for_each(drop);
            }
        }
    }
}

/// The quick way through usual records must find what reading each one finds.
fn check_walk(section: &[u8], count: usize, base_timestamp: i64) {
    let batch = with_section(count as i32, section);
    let batch = patched(&batch, 27, &base_timestamp.to_be_bytes());
    let walk = walk::walk(section, count as i32, Timestamp::new(base_timestamp)).ok();
    let numbered = |records: &Vec<(i64, Owned)>| {
        (0..).zip(records).all(|(index, (offset, _))| index == *offset)
    };
    let expected = read(&batch).ok().filter(numbered).map(|records| {
        let stamps = || records.iter().map(|(_, record)| record.timestamp);
        walk::Walk {
            min_timestamp: stamps().filter(|stamp| *stamp != -1).min().unwrap_or(-1),
            max_timestamp: stamps().max().unwrap().max(-1),
            keyless: records.iter().any(|(_, record)| record.key.is_none()),
        }
    });
    assert_eq!(walk, expected, "base {base_timestamp}, section {section:?}");
}

#[test]
fn the_quick_walk_is_right_about_every_byte_of_usual_records() {
    let mut records = [keyed(NOW + 3), keyed(NOW + 2), keyed(NOW + 90), keyed(NOW + 3)];
    records[1].key = Some(vec![0; 70]);
    records[2].value = Some(vec![0; 70]);
    for base in [NOW, -3, -4, 0, i64::MIN, i64::MAX - 3] {
        for keyless in [0, 3] {
            let mut records = records.clone();
            records[keyless].key = None;
            let section = &build(BatchOptions::default(), &records)[HEADER_BYTES..];
            check_walk(section, records.len(), base);
            for at in 0..section.len() {
                for byte in 0..=255 {
                    let mut damaged = section.to_vec();
                    damaged[at] = byte;
                    check_walk(&damaged, records.len(), base);
                }
            }
        }
    }
}

#[test]
fn the_quick_walk_knows_offsets_of_one_and_two_bytes_and_leaves_others() {
    for count in [63, 64, 65, 127, 128, 129, 8191, 8192, 8193, 8300] {
        let records = vec![keyed(NOW); count];
        let section = &build(BatchOptions::default(), &records)[HEADER_BYTES..];
        check_walk(section, count, NOW);
        check_walk(section, count + 1, NOW);
        check_walk(section, count - 1, NOW);
    }
}

#[test]
fn cut_anywhere_it_is_incomplete() {
    let batch = plain();
    let two = [&batch[..], &batch].concat();
    for cut in 0..batch.len() {
        assert_eq!(check(&batch[..cut], &rules()), Err(Invalid::Incomplete));
        let mut batches = Batches::new(&two[..batch.len() + cut]);
        assert_eq!(batches.next().unwrap().bytes(), batch);
        assert_eq!(batches.next(), None);
        let end = match cut {
            0 => BatchesEnd::Exact,
            1..=16 => BatchesEnd::Partial { bytes_needed: HEADER_BYTES },
            _ => BatchesEnd::Partial { bytes_needed: batch.len() },
        };
        assert_eq!((batches.position(), batches.end()), (batch.len(), Some(end)));
    }
}

#[test]
fn batches_tell_how_they_ended() {
    let batch = plain();
    let end = |rest: &[u8]| {
        let bytes = [&batch[..], rest].concat();
        let mut batches = Batches::new(&bytes);
        assert_eq!(batches.end(), None);
        assert_eq!(batches.by_ref().count(), 1);
        batches.end().unwrap()
    };
    assert_eq!(end(&[0; 100]), BatchesEnd::Garbage(HeaderError::Length(0)));
    assert_eq!(end(&[9; 100]), BatchesEnd::Garbage(HeaderError::UnknownFormat(9)));
    let mut old = batch.clone();
    old[16] = 1;
    assert_eq!(end(&old), BatchesEnd::OldFormat(1));
}

#[test]
fn a_clients_header_is_checked() {
    let batch = plain();
    let with = |at, bytes: &[u8]| check(&patched(&batch, at, bytes), &rules()).unwrap_err();
    assert_eq!(with(0, &1_i64.to_be_bytes()), Invalid::BaseOffset);
    assert_eq!(with(8, &48_i32.to_be_bytes()), Invalid::Length);
    assert_eq!(with(8, &(-1_i32).to_be_bytes()), Invalid::Length);
    assert_eq!(with(11, &[batch[11] - 1]), Invalid::MoreThanOneBatch);
    assert_eq!(with(16, &[1]), Invalid::OldFormat);
    assert_eq!(with(16, &[3]), Invalid::UnknownFormat);
    for id in [5, 6, 7] {
        assert_eq!(with(22, &[id]), Invalid::UnknownCodec);
    }
    assert_eq!(with(22, &[0x08]), Invalid::TimestampType);
    assert_eq!(with(22, &[0x10]), Invalid::ProducerId);
    assert_eq!(with(22, &[0x20]), Invalid::Control);
    assert_eq!(with(22, &[0x40]), Invalid::Attributes);
    assert_eq!(with(22, &[0x80]), Invalid::Attributes);
    assert_eq!(with(21, &[0x80]), Invalid::Attributes);
    for count in [0, -1, i32::MIN, i32::MAX] {
        assert_eq!(with(57, &count.to_be_bytes()), Invalid::RecordCount);
    }
    for delta in [1_i32, 3, -1, i32::MIN] {
        assert_eq!(with(23, &delta.to_be_bytes()), Invalid::LastOffsetDelta);
    }
    let fewer = patched(&patched(&batch, 57, &2_i32.to_be_bytes()), 23, &1_i32.to_be_bytes());
    let error = Invalid::Record(RecordError::TrailingBytes);
    assert_eq!(check(&fewer, &rules()), Err(error));
    let more = patched(&patched(&batch, 57, &4_i32.to_be_bytes()), 23, &3_i32.to_be_bytes());
    assert_eq!(check(&more, &rules()), Err(Invalid::Record(RecordError::Missing)));
    // The leader epoch is the leader's to write.
    assert!(check(&patched(&batch, 12, &99_i32.to_be_bytes()), &rules()).is_ok());
}

#[test]
fn a_producer_is_whole_or_absent() {
    let with = |id: i64, epoch: i16, sequence: i32| {
        let mut producer = id.to_be_bytes().to_vec();
        producer.extend_from_slice(&epoch.to_be_bytes());
        producer.extend_from_slice(&sequence.to_be_bytes());
        check(&patched(&plain(), 43, &producer), &rules()).map(|_| ())
    };
    assert_eq!(with(0, 0, 0), Ok(()));
    assert_eq!(with(i64::MAX, i16::MAX, i32::MAX), Ok(()));
    // Sarama and KafkaJS send zeros without idempotence.
    assert_eq!(with(-1, 0, 0), Ok(()));
    assert_eq!(with(-1, -1, 0), Ok(()));
    assert_eq!(with(-2, 0, 0), Err(Invalid::ProducerId));
    assert_eq!(with(7, -1, 0), Err(Invalid::ProducerEpoch));
    assert_eq!(with(7, 0, -1), Err(Invalid::Sequence));
}

#[test]
fn requests_and_topics_limit_what_may_come() {
    let batch = plain();
    let exact = Rules { bytes_max: batch.len(), ..rules() };
    assert!(check(&batch, &exact).is_ok());
    let less = Rules { bytes_max: batch.len() - 1, ..rules() };
    assert_eq!(check(&batch, &less), Err(Invalid::TooLarge));
    let two = [&batch[..], &batch].concat();
    assert_eq!(check(&two, &rules()), Err(Invalid::MoreThanOneBatch));
    assert_eq!(check(&two[..batch.len() + 1], &rules()), Err(Invalid::MoreThanOneBatch));
    let transaction = BatchOptions {
        producer: Producer {
            id: ProducerId::new(1),
            epoch: ProducerEpoch::new(0),
            base_sequence: 0,
        },
        transactional: true,
        ..BatchOptions::default()
    };
    let transaction = build(transaction, &[keyed(NOW)]);
    assert!(check(&transaction, &rules()).is_ok());
    let refused = Rules { transactional_allowed: false, ..rules() };
    assert_eq!(check(&transaction, &refused), Err(Invalid::Transactional));
    let compression = Compression::new(Codec::Zstd);
    let zstd = build(BatchOptions { compression, ..BatchOptions::default() }, &[keyed(NOW)]);
    let old_request = Rules { zstd_allowed: false, ..rules() };
    assert_eq!(check(&zstd, &old_request), Err(Invalid::CodecNotAllowed));
    assert!(check(&batch, &old_request).is_ok());
    let small = Rules { section_bytes_max: 10, ..rules() };
    assert_eq!(check(&zstd, &small), Err(Invalid::SectionTooLarge));
    let damaged = patched(&zstd, HEADER_BYTES, &[0]);
    assert_eq!(check(&damaged, &rules()), Err(Invalid::Corrupt));
    let header_only = Rules { validation: Validation::HeaderOnly, ..rules() };
    assert!(check(&damaged, &header_only).is_ok());
    let keys = Rules { keys_required: true, ..header_only };
    assert_eq!(check(&damaged, &keys), Err(Invalid::Corrupt));
}

#[test]
fn records_are_checked_to_their_last_byte() {
    let good = [16, 0, 0, 0, 2, b'k', 2, b'v', 0];
    let with = |section: &[u8]| check(&with_section(1, section), &rules());
    assert!(with(&good).is_ok());
    let error = |at: usize, bytes: &[u8]| {
        let mut section = good.to_vec();
        section.splice(at..at + 1, bytes.iter().copied());
        match with(&section).unwrap_err() {
            Invalid::Record(error) => error,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(error(0, &[18]), RecordError::Length);
    assert_eq!(error(0, &[1]), RecordError::Length);
    assert_eq!(error(0, &[0x80, 0x80, 0x80, 0x80, 0x80]), RecordError::Length);
    assert_eq!(error(0, &[14]), RecordError::Field);
    assert_eq!(error(0, &[0]), RecordError::Field);
    assert_eq!(error(3, &[2]), RecordError::OffsetDelta);
    assert_eq!(error(3, &[1]), RecordError::OffsetDelta);
    assert_eq!(error(4, &[3]), RecordError::NegativeLength);
    assert_eq!(error(4, &[40]), RecordError::Field);
    assert_eq!(error(4, &[1]), RecordError::NegativeLength);
    assert_eq!(error(6, &[3]), RecordError::NegativeLength);
    assert_eq!(error(6, &[4]), RecordError::Field);
    assert_eq!(error(6, &[1]), RecordError::HeaderCount);
    assert_eq!(error(8, &[1]), RecordError::HeaderCount);
    assert_eq!(error(8, &[2]), RecordError::HeaderCount);
    assert_eq!(error(8, &[0, 0]), RecordError::TrailingBytes);
    let header = |header: &[u8]| {
        let mut section = vec![16 + 2 * header.len() as u8];
        section.extend_from_slice(&good[1..8]);
        section.push(2);
        section.extend_from_slice(header);
        with(&section).map(|_| ())
    };
    assert_eq!(header(&[2, b'h', 1]), Ok(()));
    assert_eq!(header(&[0, 0]), Ok(()));
    assert_eq!(header(&[1, 1]), Err(Invalid::Record(RecordError::HeaderKey)));
    assert_eq!(header(&[0, 3]), Err(Invalid::Record(RecordError::NegativeLength)));
    assert_eq!(header(&[0, 4, 0]), Err(Invalid::Record(RecordError::Field)));
    assert_eq!(header(&[0, 0, 0]), Err(Invalid::Record(RecordError::LongerThanContent)));
    assert_eq!(header(&[0]), Err(Invalid::Record(RecordError::Field)));
    let longer = with(&[18, 0, 0, 0, 2, b'k', 2, b'v', 0, 0]);
    assert_eq!(longer, Err(Invalid::Record(RecordError::LongerThanContent)));
    // What Kafka takes: any attributes, longer integers than needed.
    assert!(with(&[16, 9, 0, 0, 2, b'k', 2, b'v', 0]).is_ok());
    assert!(with(&[20, 0, 0x80, 0, 0x80, 0, 2, b'k', 2, b'v', 0]).is_ok());
}

#[test]
fn timestamps_must_be_near_now() {
    let rule = TimestampRule::CreateTime { before_max_ms: 1000, after_max_ms: 500 };
    let rules = Rules { timestamps: rule, ..rules() };
    let allowed = |timestamps: &[i64], codec, rules: &Rules| {
        let compression = Compression::new(codec);
        let options = BatchOptions { compression, ..BatchOptions::default() };
        let records: Vec<_> = timestamps.iter().map(|time| keyed(*time)).collect();
        match check(&build(options, &records), rules) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error, Invalid::Timestamp);
                false
            }
        }
    };
    for codec in Codec::ALL {
        assert!(allowed(&[NOW, NOW - 1000, NOW + 500], codec, &rules));
        assert!(!allowed(&[NOW, NOW - 1001], codec, &rules));
        assert!(!allowed(&[NOW, NOW + 501], codec, &rules));
        assert!(allowed(&[-1, NOW], codec, &rules) && allowed(&[NOW, -1], codec, &rules));
        assert!(allowed(&[-1, -1], codec, &rules));
        assert!(!allowed(&[-2, NOW], codec, &rules));
        let append_time = Rules { timestamps: TimestampRule::LogAppendTime, ..rules };
        assert!(allowed(&[5, NOW * 2], codec, &append_time));
    }
    // By the header alone, only the maximum is known.
    let header_only = Rules { validation: Validation::HeaderOnly, ..rules };
    assert!(allowed(&[NOW, NOW - 1001], Codec::Lz4, &header_only));
    assert!(!allowed(&[NOW, NOW + 501], Codec::Lz4, &header_only));
    assert!(!allowed(&[NOW - 1001], Codec::Lz4, &header_only));
}

#[test]
fn a_wrong_maximum_timestamp_is_corrected_as_by_kafka() {
    for (codec, validation, corrected) in [
        (Codec::None, Validation::HeaderOnly, true),
        (Codec::Gzip, Validation::Full, true),
        (Codec::Gzip, Validation::HeaderOnly, false),
    ] {
        let compression = Compression::new(codec);
        let options = BatchOptions { compression, ..BatchOptions::default() };
        let batch = build(options, &[keyed(NOW), keyed(NOW + 5)]);
        let wrong = patched(&batch, 35, &(NOW - 50).to_be_bytes());
        let rules = Rules { validation, ..rules() };
        let header = check(&wrong, &rules).unwrap();
        let expected = if corrected { &batch } else { &wrong };
        assert_eq!(&header.encode()[..], &expected[..HEADER_BYTES]);
        let append_time = Rules { timestamps: TimestampRule::LogAppendTime, ..rules };
        assert_eq!(&check(&wrong, &append_time).unwrap().encode()[..], &wrong[..HEADER_BYTES]);
    }
}

#[test]
fn faults_name_each_record() {
    let mut records = [keyed(NOW), keyed(NOW - 5000), keyed(NOW), keyed(-1), keyed(NOW + 5000)];
    records[2].key = None;
    records[4].key = None;
    let rule = TimestampRule::CreateTime { before_max_ms: 1000, after_max_ms: 500 };
    for codec in Codec::ALL {
        let compression = Compression::new(codec);
        let batch = build(BatchOptions { compression, ..BatchOptions::default() }, &records);
        let faults = |rules: &Rules| {
            let error = validate(&batch, rules).unwrap_err();
            (error, record_faults(&batch, rules).collect::<Vec<_>>())
        };
        let key = |index| RecordFault { index, kind: FaultKind::KeyMissing };
        let time =
            |index, time| RecordFault { index, kind: FaultKind::Timestamp(Timestamp::new(time)) };
        let keys = Rules { keys_required: true, ..rules() };
        assert_eq!(faults(&keys), (Invalid::KeyMissing, vec![key(2), key(4)]));
        let times = Rules { timestamps: rule, ..rules() };
        let both = vec![time(1, NOW - 5000), time(4, NOW + 5000)];
        assert_eq!(faults(&times), (Invalid::Timestamp, both));
        // One record with a wrong timestamp decides, and a record has one fault: its key.
        let all = vec![time(1, NOW - 5000), key(2), key(4)];
        assert_eq!(faults(&Rules { timestamps: rule, ..keys }), (Invalid::Timestamp, all));
        let header_only = Rules { validation: Validation::HeaderOnly, ..times };
        if codec != Codec::None {
            assert_eq!(faults(&header_only), (Invalid::Timestamp, Vec::new()));
        }
    }
}

#[test]
fn a_stamped_batch_is_read_with_its_offsets_and_times() {
    let batch = plain();
    let validated = validate(&batch, &rules()).unwrap();
    let read_with = |log_append_time: Option<i64>| {
        let header = validated.header.stamped(Stamp {
            base_offset: Offset::new(1000),
            leader_epoch: LeaderEpoch::new(3),
            log_append_time: log_append_time.map(Timestamp::new),
        });
        let bytes = [&header.encode()[..], validated.stored_section].concat();
        assert!(Batch::first(&bytes).unwrap().checksum_holds());
        assert_eq!(header.next_offset(), Offset::new(1003));
        let records = read(&bytes).unwrap().into_iter();
        records.map(|(offset, record)| (offset, record.timestamp)).collect::<Vec<_>>()
    };
    assert_eq!(read_with(None), [(1000, NOW), (1001, NOW - 7), (1002, NOW + 9)]);
    assert_eq!(read_with(Some(5)), [(1000, 5), (1001, 5), (1002, 5)]);
}

#[test]
fn compaction_keeps_offsets_where_records_go() {
    let options = BatchOptions {
        base_offset: Offset::new(100),
        leader_epoch: LeaderEpoch::new(2),
        compression: Compression::new(Codec::Snappy),
        ..BatchOptions::default()
    };
    let mut old = [keyed(NOW), keyed(NOW + 1), keyed(NOW + 2), keyed(NOW + 3)];
    old[2].headers = vec![(b"name".to_vec(), Some(b"of the rose".to_vec())), (Vec::new(), None)];
    let old = build(options, &old);
    let batch = Batch::first(&old).unwrap();
    let horizon = Some(Timestamp::new(NOW + 50));
    let rebuild = |keep: &[i64]| {
        let mut scratch = Vec::new();
        let options =
            BatchOptions { delete_horizon: horizon, ..BatchOptions::like(batch.header()) };
        let mut builder = BatchBuilder::new(options);
        for record in batch.records(1 << 20, &mut scratch).unwrap().map(Result::unwrap) {
            if keep.contains(&record.offset.get()) {
                builder.append_record(&record).unwrap();
            }
        }
        builder.extend_to(batch.header().last_offset()).unwrap();
        builder.extend_max_timestamp(batch.header().max_timestamp);
        assert_eq!(builder.record_count(), keep.len());
        let mut out = Vec::new();
        builder.finish(&mut out).unwrap();
        out
    };
    let some = rebuild(&[101, 102]);
    let header = *Batch::first(&some).unwrap().header();
    assert!(Batch::first(&some).unwrap().checksum_holds());
    assert_eq!((header.base_offset.get(), header.last_offset().get()), (100, 103));
    assert_eq!((header.record_count, header.max_timestamp.get()), (2, NOW + 3));
    assert_eq!(header.base_timestamp.get(), NOW + 50);
    assert!(header.attributes.has_delete_horizon());
    assert_eq!(read(&some).unwrap(), read(&old).unwrap()[1..3]);
    let none = rebuild(&[]);
    let header = *Batch::first(&none).unwrap().header();
    assert_eq!((none.len(), header.record_count), (HEADER_BYTES, 0));
    assert_eq!(header.last_offset().get(), 103);
    assert_eq!(header.attributes.codec(), Ok(Codec::None));
    assert_eq!(read(&none), Ok(Vec::new()));
}

#[test]
fn a_builder_refuses_offsets_out_of_order() {
    let record = |offset| Record {
        offset: Offset::new(offset),
        timestamp: Timestamp::NONE,
        key: None,
        value: None,
        headers: Headers::default(),
    };
    let base_offset = Offset::new(10);
    let mut builder = BatchBuilder::new(BatchOptions { base_offset, ..BatchOptions::default() });
    assert_eq!(builder.append_record(&record(9)), Err(BuildError::Offset));
    assert_eq!(builder.append_record(&record(i64::MIN)), Err(BuildError::Offset));
    assert_eq!(builder.append_record(&record(20)), Ok(()));
    assert_eq!(builder.append_record(&record(20)), Err(BuildError::Offset));
    assert_eq!(builder.append_record(&record(11 + i64::from(i32::MAX))), Err(BuildError::Offset));
    assert_eq!(builder.extend_to(Offset::new(19)), Err(BuildError::Offset));
    assert_eq!(builder.append_record(&record(10 + i64::from(i32::MAX))), Ok(()));
    let new = NewRecord { timestamp: Timestamp::NONE, key: None, value: None, headers: &[] };
    assert_eq!(builder.append(&new), Err(BuildError::Offset));
    assert_eq!(builder.record_count(), 2);
}

#[test]
fn markers_are_kafkas() {
    let producer =
        Producer { id: ProducerId::new(4000), epoch: ProducerEpoch::new(5), base_sequence: 77 };
    for committed in [true, false] {
        let marker = EndTransactionMarker { committed, coordinator_epoch: 9 };
        let mut out = Vec::new();
        let header = marker.write_batch(producer, Timestamp::new(NOW), &mut out).unwrap();
        assert!(header.attributes.is_control() && header.attributes.is_transactional());
        assert_eq!((header.producer_id, header.base_sequence), (producer.id, -1));
        assert_eq!(header.last_sequence(), -1);
        let batch = Batch::first(&out).unwrap();
        let mut scratch = Vec::new();
        let record = batch.records(100, &mut scratch).unwrap().next().unwrap().unwrap();
        assert_eq!(record.key, Some(&[0, 0, 0, u8::from(committed)][..]));
        assert_eq!(record.value, Some(&[0, 0, 0, 0, 0, 9][..]));
        assert_eq!(EndTransactionMarker::from_record(&record), Some(marker));
        assert_eq!(check(&out, &rules()), Err(Invalid::Control));
    }
    for id in -2..9 {
        let [high, low] = i16::to_be_bytes(id);
        let kind = ControlKind::from_key(&[0, 7, high, low, 99]).unwrap();
        assert_eq!(kind.key(), [0, 0, high, low]);
        assert_eq!(matches!(kind, ControlKind::Unknown(_)), !(0..7).contains(&id));
    }
    assert_eq!(ControlKind::from_key(&[0, 0, 0]), None);
}
