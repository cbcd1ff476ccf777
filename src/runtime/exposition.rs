//! The metrics as text, in the format that Prometheus reads (text/plain, version 0.0.4).

use core::fmt::{Display, Write as _};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::observer::CoreReport;
use crate::metrics::{Histogram, Metrics};
use crate::protocol::{ApiKey, ErrorCode};
use crate::shard::PartitionReport;

/// The format, as the header of the answer names it.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Topics with lines of their own; the rest is told together.
const TOPICS_MAX: usize = 1000;
const NANOS_PER_SECOND: f64 = 1e9;

/// The lines of all metrics.
pub(super) fn text(reports: &[Arc<CoreReport>]) -> String {
    let mut page = Page::default();
    let mut sum = Metrics::default();
    reports.iter().for_each(|report| sum.add(&report.shard.metrics));
    page.clients(reports, &sum);
    page.requests(&sum);
    page.storage(reports);
    page.cores(reports);
    page.topics(reports);
    page.process();
    page.0
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n").expect("to a string");
    }

    /// A sample; `labels` come with their braces, or are empty.
    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        writeln!(self.0, "{name}{labels} {value}").expect("to a string");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.sample(name, "", value);
    }

    /// One sample for each core.
    fn per_core<T: Display>(
        &mut self,
        (name, kind, help): (&str, &str, &str),
        reports: &[Arc<CoreReport>],
        value: impl Fn(&CoreReport) -> T,
    ) {
        self.head(name, kind, help);
        for report in reports {
            let labels = format!("{{core=\"{}\"}}", report.shard.shard);
            self.sample(name, &labels, value(report));
        }
    }

    /// The samples of a histogram, whose `labels` come without braces.
    fn histogram(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        let comma = if labels.is_empty() { "" } else { "," };
        let bucket = format!("{name}_bucket");
        for (bound, count) in histogram.cumulated() {
            let bound = bound as f64 / NANOS_PER_SECOND;
            self.sample(&bucket, &format!("{{{labels}{comma}le=\"{bound}\"}}"), count);
        }
        let count = histogram.count();
        self.sample(&bucket, &format!("{{{labels}{comma}le=\"+Inf\"}}"), count);
        let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let seconds = histogram.sum_nanos() as f64 / NANOS_PER_SECOND;
        self.sample(&format!("{name}_sum"), &braced, seconds);
        self.sample(&format!("{name}_count"), &braced, count);
    }

    fn clients(&mut self, reports: &[Arc<CoreReport>], sum: &Metrics) {
        self.per_core(
            ("millstream_connections", "gauge", "Open connections."),
            reports,
            |report| report.shard.connections,
        );
        let opened = sum.connections_opened;
        self.single("millstream_connections_opened_total", "counter", "Connections.", opened);
        let bytes = sum.received_bytes;
        self.single("millstream_received_bytes_total", "counter", "Bytes from clients.", bytes);
        let name = "millstream_sent_bytes_total";
        self.head(name, "counter", "Bytes to clients, by where they came from.");
        let file: u64 = reports.iter().map(|report| report.sent_file_bytes).sum();
        self.sample(name, "{from=\"memory\"}", sum.sent_bytes.saturating_sub(file));
        self.sample(name, "{from=\"file\"}", file);
        let name = "millstream_throttled_total";
        self.single(name, "counter", "Answers that told to wait for a quota.", sum.throttled);
    }

    fn requests(&mut self, sum: &Metrics) {
        let label = |key| {
            let name = ApiKey::from_key(key).map_or_else(|| key.to_string(), |api| api.to_string());
            format!("api=\"{name}\"")
        };
        let name = "millstream_requests_total";
        self.head(name, "counter", "Requests that were answered.");
        for (key, api) in sum.apis() {
            self.sample(name, &format!("{{{}}}", label(key)), api.requests);
        }
        let name = "millstream_request_stage_seconds";
        let help = "Time in a stage: answer, until the answer is ready; send, until it is taken.";
        self.head(name, "histogram", help);
        for (key, api) in sum.apis() {
            for (stage, histogram) in [("answer", &api.answer), ("send", &api.send)] {
                let labels = format!("{},stage=\"{stage}\"", label(key));
                self.histogram(name, &labels, histogram);
            }
        }
        let name = "millstream_errors_total";
        self.head(name, "counter", "Error codes in answers.");
        for (code, count) in sum.errors() {
            let known = ErrorCode::from_code(code);
            let code = known.map_or_else(|| code.to_string(), |code| code.to_string());
            self.sample(name, &format!("{{code=\"{code}\"}}"), count);
        }
    }

    fn storage(&mut self, reports: &[Arc<CoreReport>]) {
        let (mut commits, mut checkpoints) = (Histogram::default(), Histogram::default());
        for report in reports {
            commits.add(&report.shard.wal_commit_time);
            checkpoints.add(&report.shard.checkpoint_time);
        }
        let name = "millstream_wal_commit_seconds";
        self.head(name, "histogram", "Commits of the write-ahead logs, from write to durable.");
        self.histogram(name, "", &commits);
        let name = "millstream_checkpoint_seconds";
        self.head(name, "histogram", "Checkpoints, from begin to durable.");
        self.histogram(name, "", &checkpoints);
        self.per_core(
            ("millstream_wal_commits_total", "counter", "Commits of the write-ahead log."),
            reports,
            |report| report.shard.wal_commits,
        );
        self.per_core(
            ("millstream_wal_written_bytes_total", "counter", "Bytes that commits wrote."),
            reports,
            |report| report.shard.wal_written_bytes,
        );
        let name = "millstream_wal_bytes";
        self.head(name, "gauge", "Write-ahead logs: to be replayed, free, and of all files.");
        for report in reports {
            let shard = &report.shard;
            let kinds = [
                ("live", shard.wal_live_bytes),
                ("free", shard.wal_free_bytes),
                ("files", shard.wal_file_bytes),
            ];
            for (kind, bytes) in kinds {
                let labels = format!("{{core=\"{}\",kind=\"{kind}\"}}", shard.shard);
                self.sample(name, &labels, bytes);
            }
        }
        let free = reports.iter().filter_map(|report| report.shard.device_free_bytes).min();
        if let Some(free) = free {
            self.single("millstream_device_free_bytes", "gauge", "Space on the device.", free);
        }
        let full = reports.iter().any(|report| report.shard.device_full);
        let help = "Whether produce is refused for lack of space.";
        self.single("millstream_device_full", "gauge", help, u8::from(full));
    }

    fn cores(&mut self, reports: &[Arc<CoreReport>]) {
        let name = "millstream_turn_seconds";
        self.head(name, "histogram", "Turns of the cores' loops, without the time asleep.");
        for report in reports {
            let labels = format!("core=\"{}\"", report.shard.shard);
            self.histogram(name, &labels, &report.turns);
        }
        let name = "millstream_waiting";
        self.head(name, "gauge", "What waits: for an answer, for a commit, for room.");
        for report in reports {
            let shard = &report.shard;
            let kinds = [
                ("requests", shard.waiting_requests),
                ("appends", shard.waiting_appends),
                ("room", shard.waiting_for_room),
            ];
            for (kind, count) in kinds {
                let labels = format!("{{core=\"{}\",kind=\"{kind}\"}}", shard.shard);
                self.sample(name, &labels, count);
            }
        }
        let name = "millstream_memory_bytes";
        self.head(name, "gauge", "Memory: incomplete requests, lent to others, recent data.");
        for report in reports {
            let memory = &report.shard.memory;
            let kinds =
                [("requests", memory.requests), ("lent", memory.lent), ("tails", memory.tails)];
            for (kind, bytes) in kinds {
                let labels = format!("{{core=\"{}\",kind=\"{kind}\"}}", report.shard.shard);
                self.sample(name, &labels, bytes);
            }
        }
        let tails_max = reports.iter().map(|report| report.shard.memory.tails_max).sum::<usize>();
        let help = "The bound of the memory for recent data.";
        self.single("millstream_memory_tails_bytes_max", "gauge", help, tails_max);
    }

    fn topics(&mut self, reports: &[Arc<CoreReport>]) {
        let topics = Topic::all(reports);
        let partitions = reports.iter().map(|report| report.shard.partitions.len()).sum::<usize>();
        self.single("millstream_partitions", "gauge", "Partitions that are led here.", partitions);
        let segments: usize = topics.values().map(|topic| topic.segments).sum();
        self.single("millstream_segments", "gauge", "Segments of all partitions.", segments);
        type Column = (&'static str, &'static str, &'static str, fn(&Topic) -> i64);
        let columns: [Column; 5] = [
            ("partitions", "gauge", "Partitions of a topic.", |topic| topic.partitions),
            ("log_start_offset_sum", "gauge", "Log start offsets, added up.", |t| t.starts),
            ("high_watermark_sum", "gauge", "High watermarks, added up.", |topic| topic.ends),
            ("size_bytes", "gauge", "Bytes of a topic's segments.", |topic| topic.size_bytes),
            ("appended_bytes_total", "counter", "Bytes appended.", |topic| topic.appended_bytes),
        ];
        for (name, kind, help, value) in columns {
            let name = format!("millstream_topic_{name}");
            self.head(&name, kind, help);
            for (topic, figures) in &topics {
                self.sample(&name, &format!("{{topic=\"{topic}\"}}"), value(figures));
            }
        }
    }

    fn process(&mut self) {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status.lines().find_map(|line| {
            let kibibytes = line.strip_prefix("VmRSS:")?.trim().trim_end_matches(" kB");
            kibibytes.parse::<u64>().ok()
        });
        if let Some(kibibytes) = resident {
            let help = "Resident memory of the process.";
            self.single("process_resident_memory_bytes", "gauge", help, kibibytes << 10);
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            self.single("process_open_fds", "gauge", "Open descriptors.", open.count());
        }
        let name = "millstream_build_info";
        self.head(name, "gauge", "The version that runs.");
        let labels = format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
        self.sample(name, &labels, 1);
    }
}

/// The partitions of a topic, added up.
#[derive(Default)]
struct Topic {
    partitions: i64,
    segments: usize,
    starts: i64,
    ends: i64,
    size_bytes: i64,
    appended_bytes: i64,
}

impl Topic {
    /// By name. So that a page stays within bounds, what comes after the first topics in the order
    /// of their names is added up under none.
    fn all(reports: &[Arc<CoreReport>]) -> BTreeMap<&str, Self> {
        let mut topics: BTreeMap<&str, Self> = BTreeMap::new();
        for partition in reports.iter().flat_map(|report| &report.shard.partitions) {
            topics.entry(&partition.topic.name).or_default().add(partition);
        }
        if let Some(first) = topics.keys().nth(TOPICS_MAX).copied() {
            let others = topics.split_off(first);
            let rest = topics.entry("").or_default();
            for other in others.values() {
                rest.merge(other);
            }
        }
        topics
    }

    fn add(&mut self, partition: &PartitionReport) {
        self.merge(&Self {
            partitions: 1,
            segments: partition.segments,
            starts: partition.log_start_offset.get(),
            ends: partition.high_watermark.get(),
            size_bytes: partition.size_bytes as i64,
            appended_bytes: partition.appended_bytes as i64,
        });
    }

    fn merge(&mut self, other: &Self) {
        self.partitions += other.partitions;
        self.segments += other.segments;
        self.starts += other.starts;
        self.ends += other.ends;
        self.size_bytes += other.size_bytes;
        self.appended_bytes += other.appended_bytes;
    }
}
