//! Produces to a running broker and waits for what it acknowledges: first as fast as it takes it,
//! then at half that pace, with latencies from the time at which a request should have been sent.

#[path = "../shared/broker.rs"]
mod broker;
#[path = "../shared/load.rs"]
mod load;

use std::path::Path;
use std::time::Duration;

use broker::Broker;
use clap::Parser;
use load::{Load, Outcome, Pace, Shape, Until};

const HEADER: &str = "\
| broker | loop | MB/s | ack ms p50 / p99 / p99.9 / max | broker CPU s/GiB | device bytes per byte |
|---|---|---|---|---|---|";

/// Durable produce, end to end.
#[derive(Parser)]
struct Arguments {
    /// The broker that is started, unless --against names one that runs.
    #[arg(long, default_value = "target/release/millstream")]
    binary: String,
    /// The data directory of the broker that is started; emptied before and after.
    #[arg(long, default_value = "target/durable")]
    data: String,
    /// Where it listens.
    #[arg(long, default_value_t = 19_292)]
    port: u16,
    /// Its shards.
    #[arg(long, default_value_t = 1)]
    cores: usize,
    /// A broker that runs, HOST:PORT.
    #[arg(long, requires = "pid")]
    against: Option<String>,
    /// Its process.
    #[arg(long)]
    pid: Option<u32>,
    /// What it is called in the table.
    #[arg(long, default_value = "millstream")]
    name: String,
    /// Seconds of each of the two loops.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Connections.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Partitions of the topic.
    #[arg(long, default_value_t = 16)]
    partitions: i32,
    /// Requests of a connection under way at once.
    #[arg(long, default_value_t = 5)]
    in_flight: usize,
    /// Bytes per second of the second loop instead of half of what the first one reached.
    #[arg(long)]
    rate: Option<f64>,
}

fn main() {
    let arguments = Arguments::parse();
    let data = Path::new(&arguments.data);
    let broker = match (&arguments.against, arguments.pid) {
        (Some(address), Some(pid)) => Broker::running(address, pid),
        _ => {
            let _ = std::fs::remove_dir_all(data);
            Broker::start(&arguments.binary, data, arguments.port, arguments.cores)
        }
    };
    broker.await_answer();
    let shape = Shape {
        connections: arguments.connections,
        partitions: arguments.partitions,
        record_bytes: 1024,
        records_per_batch: 15,
        in_flight: arguments.in_flight,
    };
    let topic = format!("durable-{}", std::process::id());
    let mut load = Load::new(&broker.address, &topic, shape);
    let limit = Until::Elapsed(Duration::from_secs(arguments.seconds));
    load.run(Pace::Closed, Until::Elapsed(Duration::from_secs(2)));
    println!("{HEADER}");
    let name = &arguments.name;
    let closed = measured(&broker, name, "closed", || load.run(Pace::Closed, limit));
    let full = closed.bytes as f64 / closed.elapsed.as_secs_f64();
    let share = arguments.rate.map_or(0.5, |rate| rate / full);
    let rate = closed.requests as f64 / closed.elapsed.as_secs_f64() * share;
    measured(&broker, name, "open", || load.run(Pace::Open(rate), limit));
    drop(broker);
    if arguments.against.is_none() {
        let _ = std::fs::remove_dir_all(data);
    }
}

fn measured(broker: &Broker, name: &str, pace: &str, run: impl FnOnce() -> Outcome) -> Outcome {
    let (cpu_before, device_before) = broker.consumed();
    let outcome = run();
    let (cpu, device) = broker.consumed();
    let bytes = outcome.bytes as f64;
    let millis = |quantile| outcome.latency.value_at_quantile(quantile) as f64 / 1e6;
    println!(
        "| {name} | {pace} | {:.0} | {:.2} / {:.2} / {:.2} / {:.1} | {:.2} | {:.2} |",
        bytes / outcome.elapsed.as_secs_f64() / 1e6,
        millis(0.5),
        millis(0.99),
        millis(0.999),
        outcome.latency.max() as f64 / 1e6,
        (cpu - cpu_before) / (bytes / f64::from(1 << 30)),
        (device - device_before) as f64 / bytes,
    );
    outcome
}
