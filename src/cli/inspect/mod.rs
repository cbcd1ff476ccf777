//! `millstream inspect`: reads a data directory and changes nothing in it.

mod contents;
mod disk;
mod plan;
mod segments;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;

use self::contents::Contents;
use self::plan::Plan;
use self::segments::Scan;
use super::CliError;
use super::json::Json;
use crate::io::FileName;
use crate::log::{FileKind, LEADER_EPOCHS_FILE, parse_file_name};
use crate::types::{Offset, PartitionIndex, TopicPartition};

/// Look into a data directory while no broker runs on it
///
/// Shows whose it is, what its segments, indexes and write-ahead logs hold, and what the next start
/// would do. Nothing is changed.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The data directory
    directory: PathBuf,
    /// Only this topic
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// Only this partition
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    /// List the records in the segments
    #[arg(long)]
    records: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl InspectArgs {
    fn wants(&self, name: &str) -> bool {
        let Some((topic, partition)) = split_name(name) else { return false };
        self.topic.as_ref().is_none_or(|wanted| wanted == topic)
            && self.partition.is_none_or(|wanted| wanted == partition)
    }
}

/// Takes a partition directory's name apart.
fn split_name(name: &str) -> Option<(&str, i32)> {
    let (topic, partition) = name.rsplit_once('-')?;
    let plain = !topic.is_empty() && partition.bytes().all(|byte| byte.is_ascii_digit());
    if plain { Some((topic, partition.parse().ok()?)) } else { None }
}

/// Prints what is there.
///
/// # Errors
/// It is no data directory, or cannot be read.
pub fn run(args: &InspectArgs) -> Result<(), CliError> {
    let root = args.directory.to_str().ok_or_else(|| {
        CliError::Message(format!("{}: the path is not UTF-8", args.directory.display()))
    })?;
    let contents = Contents::read(&FileName::new(root))?;
    for warning in &contents.warnings {
        eprintln!("millstream: {warning}");
    }
    let mut partitions = Vec::new();
    for (name, id) in partitions_of(&contents) {
        if args.wants(&name) {
            partitions.push(partition(args, &contents, &name, id)?);
        }
    }
    if partitions.is_empty() && (args.topic.is_some() || args.partition.is_some()) {
        return Err(CliError::Message(format!("{root} has no such topic or partition")));
    }
    let report = Json::object([
        ("directory", Json::text(root)),
        ("identity", contents.identity()),
        ("warnings", Json::list(contents.warnings.iter().map(Json::text))),
        ("metadata", contents.metadata()),
        ("write_ahead_logs", contents.write_ahead_logs()),
        ("partitions", Json::List(partitions)),
    ]);
    let mut out = Vec::new();
    if args.json {
        report.write(&mut out);
        out.push(b'\n');
    } else {
        out.extend_from_slice(report.outline().as_bytes());
    }
    io::stdout().lock().write_all(&out).map_err(|error| CliError::output(&error))
}

/// Partitions that have a directory, and those that the metadata or a write-ahead log knows.
fn partitions_of(contents: &Contents) -> BTreeMap<String, Option<TopicPartition>> {
    let mut found: BTreeMap<String, Option<TopicPartition>> = BTreeMap::new();
    for name in contents.directories.iter().filter(|name| split_name(name).is_some()) {
        found.insert(name.clone(), None);
    }
    for topic in contents.image.iter().flat_map(|image| image.topics()) {
        for index in (0..).take(topic.partitions.len()) {
            let id = TopicPartition { topic: topic.id, partition: PartitionIndex::new(index) };
            found.insert(format!("{}-{index}", topic.name), Some(id));
        }
    }
    found
}

fn partition(
    args: &InspectArgs,
    contents: &Contents,
    name: &str,
    id: Option<TopicPartition>,
) -> Result<Json, CliError> {
    let directory = args.directory.join(name);
    let files = file_lengths(&directory)?;
    let source = id.and_then(|id| contents.sources.partitions.get(&id));
    let plan = Plan::of(source, &files);
    let mut scans = Vec::new();
    for ((base, _), len) in files.iter().filter(|((_, kind), _)| *kind == FileKind::Log) {
        let believed = plan.believed(*base).unwrap_or(*len).min(*len);
        scans.push(Scan::of(&directory, *base, *len, believed, args.records)?);
    }
    let records = scans.iter_mut().flat_map(Scan::take_records).collect();
    let mut fields = vec![
        ("partition".to_owned(), Json::text(name)),
        ("topic_id".to_owned(), id.map_or(Json::Null, |id| Json::text(id.topic))),
        ("segments".to_owned(), Json::list(scans.iter().map(Scan::json))),
        ("leader_epochs".to_owned(), leader_epochs(&directory)),
        ("recovery".to_owned(), plan.json()),
    ];
    if args.records {
        fields.push(("records".to_owned(), Json::List(records)));
    }
    Ok(Json::Object(fields))
}

/// The lengths of a partition's files, by segment.
type FileLengths = Vec<((Offset, FileKind), u64)>;

fn file_lengths(directory: &std::path::Path) -> Result<FileLengths, CliError> {
    let failed = |error: io::Error| CliError::io(directory.display(), &error);
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if let Some(key) = name.to_str().and_then(parse_file_name) {
            files.push((key, entry.metadata().map_err(failed)?.len()));
        }
    }
    files.sort_by_key(|((base, _), _)| *base);
    Ok(files)
}

/// Kafka's file, line by line: version, count, and each epoch with its first offset.
fn leader_epochs(directory: &std::path::Path) -> Json {
    let Ok(text) = fs::read_to_string(directory.join(LEADER_EPOCHS_FILE)) else {
        return Json::Null;
    };
    Json::list(text.lines().skip(2).map(|line| match line.split_once(' ') {
        Some((epoch, start)) => {
            Json::object([("epoch", Json::text(epoch)), ("start_offset", Json::text(start))])
        }
        None => {
            Json::object([("epoch", Json::text("damaged")), ("start_offset", Json::text(line))])
        }
    }))
}
