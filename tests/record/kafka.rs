//! Kafka's own classes read what is written here, and the other way round. They run once, in
//! `oracle/run`, for all tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use millstream::record::{
    Batch, BatchBuilder, BatchOptions, Codec, Compression, EndTransactionMarker, Header, Invalid,
    NewRecord, Producer, Rules, Stamp, TimestampRule, Validation, recompress, validate,
};
use millstream::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

use crate::describe::describe;

const NOW: Timestamp = Timestamp::new(1_700_000_000_000);
const PRODUCER: Producer = Producer {
    id: ProducerId::new(1 << 40),
    epoch: ProducerEpoch::new(12),
    base_sequence: i32::MAX - 3,
};

/// The directory in which both sides have written and described their batches.
fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("record-oracle");
        let _ = fs::remove_dir_all(&directory);
        let own = directory.join("rust");
        fs::create_dir_all(&own).expect("a writable target directory");
        for (name, batch) in own_batches() {
            fs::write(own.join(format!("{name}.batch")), batch).expect("a writable directory");
        }
        let run = Command::new("tests/record/oracle/run").arg(&directory).output();
        let run = run.expect("tests/record/oracle/run, from the project's root");
        let errors = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "the record oracle failed: {errors}");
        directory
    })
}

/// The files of one side with this extension: their names without it, and their bytes.
fn files(side: &str, extension: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(directory().join(side)).expect("the oracle's directory");
    let paths = entries.map(|entry| entry.expect("a readable directory").path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, fs::read(path).expect("a readable file"))
        })
        .collect();
    files.sort();
    files
}

fn variety(builder: &mut BatchBuilder) {
    let headers = [
        Header { key: b"name", value: Some(b"of the rose") },
        Header { key: b"", value: None },
        Header { key: "\u{e4}\u{20ac}".as_bytes(), value: Some(b"") },
    ];
    let at = |delta: i64| Timestamp::new(NOW.get() + delta);
    let long = [7; 20_000];
    let records = [
        NewRecord { timestamp: NOW, key: Some(b"key"), value: Some(b"value"), headers: &[] },
        NewRecord { timestamp: at(-86_400_000), key: Some(b"k"), value: None, headers: &headers },
        NewRecord { timestamp: at(9), key: None, value: Some(b""), headers: &headers[..1] },
        NewRecord { timestamp: Timestamp::NONE, key: None, value: None, headers: &[] },
        NewRecord { timestamp: at(1), key: Some(b""), value: Some(&long), headers: &[] },
    ];
    for record in records.iter().cycle().take(300) {
        builder.append(record).expect("a small batch");
    }
}

fn built(options: BatchOptions, fill: impl Fn(&mut BatchBuilder)) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options);
    fill(&mut builder);
    let mut out = Vec::new();
    builder.finish(&mut out).expect("a small batch");
    out
}

fn first(bytes: &[u8]) -> Batch<'_> {
    Batch::first(bytes).expect("a batch")
}

/// The batch with a new header in front of its records.
fn stamped(batch: &Batch<'_>, stamp: Stamp) -> Vec<u8> {
    [&batch.header().stamped(stamp).encode()[..], batch.stored_section()].concat()
}

/// Every second record of the batch, in a batch of the same offsets.
fn compacted(batch: &Batch<'_>) -> Vec<u8> {
    let horizon = Some(Timestamp::new(NOW.get() + 77));
    built(BatchOptions { delete_horizon: horizon, ..BatchOptions::like(batch.header()) }, |new| {
        let mut scratch = Vec::new();
        let records = batch.records(16 << 20, &mut scratch).expect("a batch made here");
        for record in records.flatten().skip(1).step_by(2) {
            new.append_record(&record).expect("offsets in order");
        }
        new.extend_to(batch.header().last_offset()).expect("offsets in order");
    })
}

fn own_batches() -> Vec<(String, Vec<u8>)> {
    let mut batches = Vec::new();
    for codec in Codec::ALL {
        let compression = Compression::new(codec);
        let options = BatchOptions {
            base_offset: Offset::new(1 << 33),
            leader_epoch: LeaderEpoch::new(4),
            compression,
            ..BatchOptions::default()
        };
        let plain = built(options, variety);
        let stamp = Stamp {
            base_offset: Offset::new(5_000),
            leader_epoch: LeaderEpoch::new(66),
            log_append_time: None,
        };
        let timed = Stamp { log_append_time: Some(Timestamp::new(NOW.get() + 3)), ..stamp };
        let mut add = |name: &str, batch| batches.push((format!("{codec}-{name}"), batch));
        add("stamped", stamped(&first(&plain), stamp));
        add("timed", stamped(&first(&plain), timed));
        add("compacted", compacted(&first(&plain)));
        add("plain", plain);
        add("idempotent", built(BatchOptions { producer: PRODUCER, ..options }, variety));
        let transactional = BatchOptions { producer: PRODUCER, transactional: true, ..options };
        let transactional = built(transactional, variety);
        let section = first(&transactional).section(16 << 20, &mut Vec::new()).map(Vec::from);
        let section = section.expect("a batch made here");
        for target in Codec::ALL {
            let mut out = Vec::new();
            let header = first(&transactional).header().to_owned();
            recompress(&header, &section, Compression::new(target), &mut out).expect("small");
            add(&format!("to-{target}"), out);
        }
        add("append-time", built(BatchOptions { log_append_time: Some(NOW), ..options }, variety));
    }
    for committed in [true, false] {
        let marker = EndTransactionMarker { committed, coordinator_epoch: 3 };
        let mut out = Vec::new();
        marker.write_batch(PRODUCER, NOW, &mut out).expect("a small batch");
        batches.push((format!("marker-{committed}"), out));
    }
    let empty = built(BatchOptions { producer: PRODUCER, ..BatchOptions::default() }, |builder| {
        builder.extend_to(Offset::new(6)).expect("no record lies behind");
        builder.extend_max_timestamp(NOW);
    });
    let small = built(BatchOptions::default(), variety);
    batches.push(("several".to_owned(), [&empty[..], &small, &empty].concat()));
    batches.push(("empty".to_owned(), empty));
    batches
}

/// Compares descriptions line by line, for a message of a readable length.
fn assert_same(name: &str, ours: &str, kafkas: &[u8]) {
    let kafkas = String::from_utf8_lossy(kafkas);
    for (ours, kafkas) in ours.lines().zip(kafkas.lines()) {
        assert_eq!(ours, kafkas, "{name}");
    }
    assert_eq!(ours.lines().count(), kafkas.lines().count(), "{name}");
    assert!(ours.starts_with("batch "), "{name}: {ours}");
}

#[test]
fn we_read_what_kafka_writes() {
    let (batches, texts) = (files("kafka", "batch"), files("kafka", "txt"));
    assert_eq!((batches.len(), texts.len()), (46, 46));
    for ((name, batch), (_, text)) in batches.iter().zip(&texts) {
        assert_same(name, &describe(batch), text);
    }
}

#[test]
fn kafka_reads_what_we_write() {
    let (batches, texts) = (files("rust", "batch"), files("rust", "txt"));
    assert_eq!((batches.len(), texts.len()), (own_batches().len(), batches.len()));
    for ((name, batch), (_, text)) in batches.iter().zip(&texts) {
        assert_same(name, &describe(batch), text);
    }
}

#[test]
fn a_stamp_gives_the_bytes_that_kafka_gives() {
    let (batches, stamps) = (files("kafka", "batch"), files("kafka", "stamped"));
    let mut batches = batches.iter();
    assert_eq!(stamps.len(), 45);
    for (name, kafkas) in &stamps {
        let (_, bytes) = batches.find(|(found, _)| found == name).expect("its batch");
        let batch = first(bytes);
        let ours = stamped(
            &batch,
            Stamp {
                base_offset: batch.header().base_offset.plus(5_000),
                leader_epoch: LeaderEpoch::new(77),
                log_append_time: Some(Timestamp::new(NOW.get() + 99)),
            },
        );
        assert_eq!(&ours, kafkas, "{name}");
    }
}

#[test]
fn what_kafkas_producer_writes_is_valid() {
    let rules = Rules {
        bytes_max: 1 << 20,
        section_bytes_max: 1 << 20,
        zstd_allowed: true,
        transactional_allowed: true,
        keys_required: false,
        timestamps: TimestampRule::CreateTime { before_max_ms: i64::MAX, after_max_ms: 1000 },
        validation: Validation::Full,
        now: NOW,
    };
    for (name, mut batch) in files("kafka", "batch") {
        // Clients send base offset 0.
        batch[..8].fill(0);
        let found = validate(&batch, &rules).map(|valid| valid.header);
        let kind = name.split_once('-').expect("a codec and a kind").1;
        let expected = match kind {
            "plain" | "idempotent" | "transactional" | "large" => Ok(*first(&batch).header()),
            "append-time" => Err(Invalid::TimestampType),
            "horizon" => Err(Invalid::Attributes),
            "gaps" => Err(Invalid::LastOffsetDelta),
            "commit" | "abort" => Err(Invalid::Control),
            "empty" => Err(Invalid::RecordCount),
            other => panic!("a new kind, {other}"),
        };
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn levels_are_kafkas() {
    let kafkas = fs::read_to_string(directory().join("kafka/levels")).expect("the oracle's levels");
    let ours = Codec::ALL.map(|codec| match codec.levels() {
        None => format!("{} {codec}\n", codec.id()),
        Some(levels) => {
            let (id, default) = (codec.id(), codec.level_default());
            format!("{id} {codec} {} {} {default}\n", levels.start(), levels.end())
        }
    });
    assert_eq!(ours.concat(), kafkas);
}
