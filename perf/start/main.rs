//! How long a broker takes from the start of its process to its first answer: with an empty
//! directory, and after kill -9 under load with as much data as wanted; and its memory when idle.

#[path = "../shared/broker.rs"]
mod broker;
#[path = "../shared/load.rs"]
mod load;

use std::path::Path;
use std::time::{Duration, Instant};

use broker::Broker;
use clap::Parser;
use load::{Load, Pace, Shape, Until};
use millstream::client::{Cluster, Connection, TopicInfo};
use millstream::protocol::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic,
};
use millstream::protocol::{Array, ErrorCode};

const PATIENCE: Duration = Duration::from_secs(120);
const TOPIC: &str = "start";

/// Start to ready.
#[derive(Parser)]
struct Arguments {
    /// The broker.
    #[arg(long, default_value = "target/release/millstream")]
    binary: String,
    /// Its data directory, emptied before and after.
    #[arg(long, default_value = "target/start")]
    data: String,
    /// Where it listens.
    #[arg(long, default_value_t = 19_293)]
    port: u16,
    /// Its shards.
    #[arg(long, default_value_t = 2)]
    cores: usize,
    /// Starts that are measured.
    #[arg(long, default_value_t = 10)]
    runs: usize,
    /// MiB produced before the first start that is measured; 0 measures empty directories.
    #[arg(long, default_value_t = 0)]
    fill_mib: u64,
    /// MiB produced between two starts, so that there is something to recover each time.
    #[arg(long, default_value_t = 512)]
    between_mib: u64,
    /// Partitions that it is produced to.
    #[arg(long, default_value_t = 100)]
    partitions: i32,
    /// Also waits so long and prints the memory that an idle broker has.
    #[arg(long, default_value_t = 0)]
    idle_seconds: u64,
}

fn main() {
    let arguments = Arguments::parse();
    let data = Path::new(&arguments.data);
    let start = || Broker::start(&arguments.binary, data, arguments.port, arguments.cores);
    let _ = std::fs::remove_dir_all(data);
    let mut answers = Vec::new();
    let mut fetches = Vec::new();
    let mut topic = None;
    if arguments.fill_mib > 0 {
        topic = Some(fill(&start(), &arguments, arguments.fill_mib));
    }
    for _ in 0..arguments.runs {
        if topic.is_none() {
            let _ = std::fs::remove_dir_all(data);
        }
        let broker = start();
        answers.push(broker.await_answer());
        if let Some(topic) = &topic {
            fetches.push(await_fetch(&broker, topic));
            fill(&broker, &arguments, arguments.between_mib);
        }
    }
    print("first ApiVersions answer", answers);
    print("fetch from every partition", fetches);
    if arguments.idle_seconds > 0 {
        let _ = std::fs::remove_dir_all(data);
        let broker = start();
        broker.await_answer();
        std::thread::sleep(Duration::from_secs(arguments.idle_seconds));
        println!("idle memory: {:.1} MiB", broker.resident_bytes() as f64 / f64::from(1 << 20));
    }
    let _ = std::fs::remove_dir_all(data);
}

/// Produces; what was acknowledged last is still in the WAL when this returns.
fn fill(broker: &Broker, arguments: &Arguments, mib: u64) -> TopicInfo {
    broker.await_answer();
    let shape = Shape {
        connections: 16,
        partitions: arguments.partitions,
        record_bytes: 1024,
        records_per_batch: 15,
        in_flight: 5,
    };
    Load::new(&broker.address, TOPIC, shape).run(Pace::Closed, Until::Bytes(mib << 20));
    let mut cluster = Cluster::new(&broker.address).expect("an address");
    cluster.topic(TOPIC, false).expect("the topic")
}

/// Waits until every partition gives its first record; the time since the process was started.
fn await_fetch(broker: &Broker, topic: &TopicInfo) -> Duration {
    let partitions: Vec<FetchPartition> = topic
        .partitions
        .iter()
        .map(|partition| FetchPartition {
            partition: partition.index,
            fetch_offset: 0,
            partition_max_bytes: 1,
            ..Default::default()
        })
        .collect();
    let (name, topic_id) = (topic.name.as_str(), topic.id);
    let topics = [FetchTopic { topic: name, topic_id, partitions: Array::new(&partitions) }];
    let request = FetchRequest {
        replica_id: -1,
        max_wait_ms: 1_000,
        min_bytes: 1,
        max_bytes: 64 << 20,
        session_epoch: -1,
        topics: Array::new(&topics),
        ..Default::default()
    };
    let mut connection = Connection::open(&broker.address, PATIENCE).expect("it answers");
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        let answer = connection.call(&request).expect("an answer");
        let response: FetchResponse<'_> = answer.decode().expect("a fetch response");
        let none = ErrorCode::None.code();
        let of_topics = response.responses.iter().flat_map(|topic| topic.partitions);
        if of_topics.filter(|partition| partition.error_code == none).count() == partitions.len() {
            return broker.age();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("not every partition is served");
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return };
    let median = times[times.len() / 2];
    println!("{what}: median {median:.1?}, {first:.1?} to {last:.1?} in {} starts", times.len());
}
