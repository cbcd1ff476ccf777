//! Clocks, CPU seconds, device bytes, and the table's rows.

use std::fs;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

pub(crate) const HEADER: &str = "\
| case | MB/s | ack ms p50 / p99 / p99.9 / max | longest stall of the core ms | CPU s/GiB | device bytes per byte |
|---|---|---|---|---|---|";

/// Keeps this thread on one core, as a shard is.
pub(crate) fn pin_to(core: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set).expect("a core that exists");
}

/// CPU seconds of all threads of this process, and bytes it sent to the device.
pub(crate) fn consumed() -> (f64, u64) {
    let stat = fs::read_to_string("/proc/self/stat").expect("procfs");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap_or(0.0) + fields[12].parse().unwrap_or(0.0);
    let io = fs::read_to_string("/proc/self/io").expect("procfs");
    let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    let device = written.and_then(|text| text.parse().ok()).unwrap_or(0);
    (ticks / 100.0, device)
}

pub(crate) struct Report {
    pub(crate) acknowledged: u64,
    pub(crate) elapsed: Duration,
    pub(crate) latency: Histogram<u64>,
    pub(crate) stall: Duration,
    pub(crate) cpu_seconds: f64,
    pub(crate) device_bytes: u64,
}

impl Report {
    pub(crate) fn row(&self, name: &str) -> String {
        let bytes = self.acknowledged as f64;
        let millis = |quantile| self.latency.value_at_quantile(quantile) as f64 / 1e6;
        format!(
            "| {name} | {:.0} | {:.2} / {:.2} / {:.2} / {:.1} | {:.1} | {:.2} | {:.2} |",
            bytes / self.elapsed.as_secs_f64() / 1e6,
            millis(0.5),
            millis(0.99),
            millis(0.999),
            self.latency.max() as f64 / 1e6,
            self.stall.as_secs_f64() * 1e3,
            self.cpu_seconds / (bytes / f64::from(1 << 30)),
            self.device_bytes as f64 / bytes,
        )
    }
}

/// Finds when the core was away for longer than it meant to be.
pub(crate) struct StallWatch {
    planned: Option<Instant>,
    pub(crate) longest: Duration,
}

impl StallWatch {
    pub(crate) fn new() -> Self {
        Self { planned: None, longest: Duration::ZERO }
    }

    pub(crate) fn sleeping(&mut self, now: Instant, timeout: Duration) {
        self.planned = Some(now + timeout);
    }

    pub(crate) fn awake(&mut self, now: Instant) {
        if let Some(planned) = self.planned.take() {
            self.longest = self.longest.max(now.saturating_duration_since(planned));
        }
    }
}
