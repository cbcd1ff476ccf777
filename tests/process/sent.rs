//! What clients received left the broker exactly once: from memory, or from a file by `sendfile`.

use crate::Scratch;
use crate::broker::{Broker, text};
use crate::consumer::Consumer;
use crate::producer::{Producer, Shape};
use crate::wire::{create_topic, received_bytes};

const TOPIC: &str = "sent";
const PARTITIONS: i32 = 4;
const CORES: u16 = 2;
/// Batches of the first life, which are read from sealed segments in the second.
const BATCHES: usize = 1_500;
const SHAPE: Shape = Shape { records_max: 10, filler_bytes_max: 6_000 };
/// Each on a connection of its own; every one asks for partitions of both cores.
const CONSUMERS: usize = 8;

/// How many bytes the broker counts as sent from there, on all cores together.
fn counted(metrics: &str, from: &str) -> Result<u64, String> {
    let name = format!("millstream_sent_bytes_total{{from=\"{from}\"}} ");
    let sample = metrics.lines().find_map(|line| line.strip_prefix(&name));
    sample.ok_or_else(|| format!("no {name}in {metrics}"))?.parse().map_err(text)
}

pub fn every_byte_sent_is_counted_once(scratch: &Scratch) -> Result<String, String> {
    let directory = scratch.path("data");
    let broker = Broker::start(&directory, CORES, &scratch.path("first.log"))?;
    let code = create_topic(broker.address, TOPIC, PARTITIONS, &[("segment.bytes", "1048576")])?;
    if code != 0 {
        return Err(format!("CreateTopics got {code}"));
    }
    let mut producers = [Producer::new(0, TOPIC, PARTITIONS, SHAPE, scratch.seed)];
    producers[0].produce(broker.address, BATCHES)?;
    broker.stop()?;

    let before = received_bytes();
    let broker = Broker::start(&directory, CORES, &scratch.path("second.log"))?;
    producers[0].produce(broker.address, BATCHES / 10)?;
    let mut checked = 0;
    for _ in 0..CONSUMERS {
        let mut consumer = Consumer::new(TOPIC, PARTITIONS);
        consumer.read_all(broker.address).map_err(text)?;
        checked += consumer.verify(&producers, true)?;
    }
    let received = received_bytes() - before;
    let metrics = broker.metrics()?;
    broker.stop()?;
    let memory = counted(&metrics, "memory")?;
    let files = counted(&metrics, "file")?;
    if memory + files != received {
        return Err(format!("{memory} from memory + {files} from files, {received} received"));
    }
    // Ten elevenths of the data were on disk before this life.
    if files < received / 2 || memory < received / 50 {
        return Err(format!("{memory} bytes from memory, {files} from files: not both are used"));
    }
    Ok(format!(
        "{received} bytes received = {memory} from memory + {files} by sendfile, {checked} \
         comparisons over {CONSUMERS} connections"
    ))
}
