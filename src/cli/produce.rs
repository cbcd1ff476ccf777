//! `millstream produce`.

use core::time::Duration;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};

use super::escapes::Separator;
use super::{Bootstrap, CliError};
use crate::client::{Acks, OutgoingRecord, Producer, ProducerOptions, Sent};
use crate::record::{Codec, Compression, Header};
use crate::types::Timestamp;

/// How much is read at once.
const READ_BYTES: usize = 256 << 10;
/// Reads that wait to be produced.
const READS_AHEAD: usize = 8;
/// A pause in the input after which everything is sent.
const LINGER: Duration = Duration::from_millis(20);
/// More than a broker could take.
const RECORD_BYTES_MAX: usize = 1 << 30;

/// Write records to a topic, from standard input or a file
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  echo hello | millstream produce greetings
  millstream produce visits --file visits.csv --key-separator ,
  apt-cache dumpavail | millstream produce packages --separator '\\n\\n' --key-prefix 'Package: '")]
pub struct ProduceArgs {
    /// The topic; created if the broker creates topics by itself
    topic: String,
    #[command(flatten)]
    bootstrap: Bootstrap,
    /// Read this file instead of standard input
    #[arg(long, short)]
    file: Option<PathBuf>,
    /// What ends a record; \n, \t, \r, \0, \\ and \xHH are understood here and below
    #[arg(long, value_name = "TEXT", default_value = "\\n")]
    separator: Separator,
    /// What stands between a record's key and its value
    #[arg(long, value_name = "TEXT", conflicts_with = "key_prefix")]
    key_separator: Option<Separator>,
    /// The key is the rest of the record's first line that starts with this; the value is the
    /// whole record
    #[arg(long, value_name = "TEXT")]
    key_prefix: Option<Separator>,
    /// A header for every record; may be given several times
    #[arg(long = "header", value_name = "KEY=VALUE", value_parser = key_and_value)]
    headers: Vec<(String, String)>,
    /// How batches are compressed
    #[arg(long, value_name = "CODEC", default_value = "none", value_parser = codec)]
    compression: Codec,
    /// How many replicas must have a record: none, the leader, or all in sync. Only with `all` are
    /// records never doubled
    #[arg(long, value_enum, default_value = "all")]
    acks: AcksArg,
    /// Write to this partition only
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    /// Give up after so many seconds without success
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
    /// Bytes of a batch before compression
    #[arg(long, value_name = "N", default_value_t = 512 << 10)]
    batch_bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum AcksArg {
    #[value(name = "0")]
    None,
    #[value(name = "1")]
    Leader,
    #[value(name = "all", alias = "-1")]
    All,
}

impl From<AcksArg> for Acks {
    fn from(acks: AcksArg) -> Self {
        match acks {
            AcksArg::None => Self::None,
            AcksArg::Leader => Self::Leader,
            AcksArg::All => Self::All,
        }
    }
}

fn codec(name: &str) -> Result<Codec, String> {
    Codec::from_name(name).ok_or_else(|| "one of none, gzip, snappy, lz4, zstd".to_owned())
}

/// Splits `key=value`.
///
/// # Errors
/// There is no `=`, or nothing in front of it.
pub(super) fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// Produces what comes in until it ends.
///
/// # Errors
/// The input cannot be read, or the broker does not take it.
pub fn run(args: &ProduceArgs) -> Result<(), CliError> {
    let start = Instant::now();
    let input: Box<dyn Read + Send> = match &args.file {
        Some(path) => {
            Box::new(File::open(path).map_err(|error| CliError::io(path.display(), &error))?)
        }
        None => Box::new(io::stdin()),
    };
    let (sender, receiver) = sync_channel(READS_AHEAD);
    thread::spawn(move || read(input, &sender));
    let options = ProducerOptions {
        acks: args.acks.into(),
        compression: Compression::new(args.compression),
        timeout: Duration::from_secs(args.timeout),
        batch_bytes: args.batch_bytes,
        partition: args.partition,
        seed: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_nanos() as u64),
    };
    let mut producer = Producer::new(args.bootstrap.cluster()?, &args.topic, options)?;
    let result = produce(args, &receiver, &mut producer);
    let before = producer.sent();
    let sent = match result {
        Ok(()) => producer.finish().map_err(|error| failed(&error.into(), before))?,
        Err(error) => return Err(failed(&error, before)),
    };
    eprintln!(
        "produced {} records, {} bytes in {:.3} s",
        sent.records,
        sent.bytes,
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Says how far it came, so that the rest can be produced again.
fn failed(error: &CliError, sent: Sent) -> CliError {
    let Sent { records, bytes } = sent;
    CliError::Message(format!("{error} (acknowledged before: {records} records, {bytes} bytes)"))
}

/// Reads ahead while batches are under way. Ends with its input or when nobody takes more.
fn read(mut input: impl Read, sender: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut bytes = vec![0; READ_BYTES];
        let read = match input.read(&mut bytes) {
            Ok(0) => return,
            Ok(read) => {
                bytes.truncate(read);
                Ok(bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        if sender.send(read).is_err() || failed {
            return;
        }
    }
}

fn produce(
    args: &ProduceArgs,
    input: &Receiver<io::Result<Vec<u8>>>,
    producer: &mut Producer,
) -> Result<(), CliError> {
    let headers: Vec<Header<'_>> = args
        .headers
        .iter()
        .map(|(key, value)| Header { key: key.as_bytes(), value: Some(value.as_bytes()) })
        .collect();
    let mut splitter = Splitter::new(&args.separator.0);
    let mut number = 0;
    let mut append = |record: &[u8], producer: &mut Producer| {
        number += 1;
        let (key, value) = key_of(args, record).map_err(|what| {
            CliError::Message(format!("record {number} of the input has no {what}"))
        })?;
        let timestamp = now();
        let value = Some(value);
        producer.append(&OutgoingRecord { key, value, headers: &headers, timestamp })?;
        Ok::<(), CliError>(())
    };
    loop {
        let read = match input.recv_timeout(LINGER) {
            Err(RecvTimeoutError::Timeout) => {
                producer.flush()?;
                input.recv().ok()
            }
            other => other.ok(),
        };
        let Some(bytes) = read else { break };
        let what = || args.file.as_ref().map_or("standard input".into(), |it| it.to_string_lossy());
        splitter.push(&bytes.map_err(|error| CliError::io(what(), &error))?);
        while let Some(record) = splitter.next() {
            append(record, producer)?;
        }
        if splitter.rest().len() > RECORD_BYTES_MAX {
            return Err(CliError::Message("a record has more than 1 GiB".to_owned()));
        }
    }
    if !splitter.rest().is_empty() {
        append(splitter.rest(), producer)?;
    }
    Ok(())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::new(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Takes a record apart: its key, if keys are asked for, and its value. Otherwise what is missing.
fn key_of<'a>(
    args: &ProduceArgs,
    record: &'a [u8],
) -> Result<(Option<&'a [u8]>, &'a [u8]), String> {
    if let Some(Separator(separator)) = &args.key_separator {
        let at = find(record, separator).ok_or("key separator")?;
        return Ok((Some(&record[..at]), &record[at + separator.len()..]));
    }
    if let Some(Separator(prefix)) = &args.key_prefix {
        let mut lines = record.split(|byte| *byte == b'\n');
        let key = lines.find_map(|line| line.strip_prefix(&prefix[..]));
        let missing = || format!("line that starts with {:?}", String::from_utf8_lossy(prefix));
        return Ok((Some(key.ok_or_else(missing)?), record));
    }
    Ok((None, record))
}

/// Cuts a stream of bytes into records.
#[derive(Debug)]
struct Splitter<'s> {
    separator: &'s [u8],
    bytes: Vec<u8>,
    /// Where the next record begins.
    start: usize,
    /// No separator begins between the start and here.
    searched: usize,
}

impl<'s> Splitter<'s> {
    fn new(separator: &'s [u8]) -> Self {
        Self { separator, bytes: Vec::new(), start: 0, searched: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    fn next(&mut self) -> Option<&[u8]> {
        let Some(found) = find(&self.bytes[self.searched..], self.separator) else {
            let tail = self.separator.len() - 1;
            self.searched = self.searched.max(self.bytes.len().saturating_sub(tail));
            return None;
        };
        let record = self.start..self.searched + found;
        self.start = record.end + self.separator.len();
        self.searched = self.start;
        Some(&self.bytes[record])
    }

    /// What stands behind the last separator.
    fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    loop {
        let at = from + bytes[from..].iter().position(|byte| *byte == first)?;
        if bytes[at..].starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(input: &[u8], separator: &[u8], step: usize) -> Vec<Vec<u8>> {
        let mut splitter = Splitter::new(separator);
        let mut records = Vec::new();
        for chunk in input.chunks(step) {
            splitter.push(chunk);
            while let Some(record) = splitter.next() {
                records.push(record.to_vec());
            }
        }
        if !splitter.rest().is_empty() {
            records.push(splitter.rest().to_vec());
        }
        records
    }

    #[test]
    fn records_do_not_depend_on_how_the_input_arrives() {
        let input = b"one\n\ntwo\nlines\n\n\n\nfour\n";
        for step in 1..=input.len() {
            let expected: [&[u8]; 4] = [b"one", b"two\nlines", b"", b"four\n"];
            assert_eq!(records(input, b"\n\n", step), expected, "{step}");
            let expected: [&[u8]; 8] = [b"one", b"", b"two", b"lines", b"", b"", b"", b"four"];
            assert_eq!(records(input, b"\n", step), expected, "{step}");
            assert_eq!(records(input, b"none", step), [&input[..]], "{step}");
        }
    }

    #[test]
    fn an_overlapping_separator_is_found() {
        assert_eq!(find(b"aaab", b"aab"), Some(1));
        assert_eq!(find(b"aaa", b"ab"), None);
        assert_eq!(find(b"", b"a"), None);
    }
}
