//! `millstream consume`.

use core::time::Duration;
use std::io::{self, BufWriter, Write as _};

use clap::Args;

use self::template::Template;
use super::escapes::{Separator, unescape};
use super::from::From;
use super::json::Json;
use super::{Bootstrap, CliError};
use crate::client::{
    Cluster, Fetcher, Flow, OffsetAt, Patience, Progress, Span, TopicInfo, offsets,
};
use crate::record::Record;
use crate::types::Offset;

mod template;

/// How long brokers wait for new records before they answer that there are none.
const WAIT: Duration = Duration::from_millis(500);
const OUTPUT_BYTES: usize = 256 << 10;

/// Print a topic's records
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  millstream consume packages --max 3
  millstream consume visits --from 2026-01-31T12:00:00Z --format json
  millstream consume visits --follow --from end --format '%T %p/%o %k: %v\\n'")]
pub struct ConsumeArgs {
    /// The topic
    topic: String,
    #[command(flatten)]
    bootstrap: Bootstrap,
    /// Read this partition only
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    /// Where to begin: `beginning`, `end`, an offset, a time such as 2026-01-31T12:00:00Z, or @ and
    /// milliseconds since 1970
    #[arg(long, value_name = "PLACE", default_value = "beginning")]
    from: From,
    /// Go on when everything that was there at the start is read
    #[arg(long, short = 'F')]
    follow: bool,
    /// Stop after so many records
    #[arg(long, short = 'n', value_name = "N")]
    max: Option<u64>,
    /// `value`, `key-value` (with a tab between), `json`, `raw` (values with nothing between), or a
    /// template of %k key, %v value, %p partition, %o offset, %t milliseconds, %T time, %h headers,
    /// %% and escapes such as \n
    #[arg(long, value_name = "FORMAT", default_value = "value")]
    format: Format,
    /// What follows each record; \n unless the format is `raw` or a template
    #[arg(long, value_name = "TEXT")]
    separator: Option<Separator>,
    /// Give up when no broker answers for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Format {
    Value,
    KeyValue,
    Json,
    Raw,
    Template(Template),
}

impl core::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "value" => Self::Value,
            "key-value" => Self::KeyValue,
            "json" => Self::Json,
            "raw" => Self::Raw,
            _ if text.contains('%') => Self::Template(Template::parse(&unescape(text)?)?),
            _ => return Err("one of value, key-value, json, raw, or a template with %v".into()),
        })
    }
}

impl Format {
    fn write(&self, topic: &str, partition: i32, record: &Record<'_>, out: &mut Vec<u8>) {
        let value = record.value.unwrap_or_default();
        match self {
            Self::Value | Self::Raw => out.extend_from_slice(value),
            Self::KeyValue => {
                out.extend_from_slice(record.key.unwrap_or_default());
                out.push(b'\t');
                out.extend_from_slice(value);
            }
            Self::Json => json(topic, partition, record).write(out),
            Self::Template(template) => template.write(partition, record, out),
        }
    }

    /// What follows a record when nothing else is asked for.
    fn separator(&self) -> &'static [u8] {
        match self {
            Self::Raw | Self::Template(_) => b"",
            _ => b"\n",
        }
    }
}

fn json(topic: &str, partition: i32, record: &Record<'_>) -> Json {
    let headers = record.headers.iter().map(|header| {
        Json::Object(vec![Json::bytes("key", Some(header.key)), Json::bytes("value", header.value)])
    });
    Json::Object(vec![
        ("topic".to_owned(), Json::text(topic)),
        ("partition".to_owned(), partition.into()),
        ("offset".to_owned(), record.offset.get().into()),
        ("timestamp".to_owned(), record.timestamp.get().into()),
        Json::bytes("key", record.key),
        Json::bytes("value", record.value),
        ("headers".to_owned(), Json::list(headers)),
    ])
}

/// Prints records until the end, or for ever.
///
/// # Errors
/// The topic cannot be read, or nobody reads the output.
pub fn run(args: &ConsumeArgs) -> Result<(), CliError> {
    let timeout = Duration::from_secs(args.timeout);
    let mut cluster = args.bootstrap.cluster()?;
    let mut topic = cluster.await_topic(&args.topic, false, Patience::new(timeout))?;
    let spans = spans(args, &mut cluster, &mut topic)?;
    let name = topic.name.clone();
    let mut fetcher = Fetcher::new(cluster, topic, spans, timeout);
    let mut out = BufWriter::with_capacity(OUTPUT_BYTES, io::stdout().lock());
    let separator = args.separator.as_ref().map_or(args.format.separator(), |it| &it.0);
    let (mut left, mut line, mut broken) = (args.max.unwrap_or(u64::MAX), Vec::new(), None);
    if left == 0 {
        return Ok(());
    }
    loop {
        let progress = fetcher.poll(WAIT, |partition, record| {
            line.clear();
            args.format.write(&name, partition, record, &mut line);
            line.extend_from_slice(separator);
            left -= 1;
            broken = out.write_all(&line).err();
            if left == 0 || broken.is_some() { Flow::Enough } else { Flow::More }
        });
        if let Some(error) = broken.take() {
            return Err(CliError::output(&error));
        }
        out.flush().map_err(|error| CliError::output(&error))?;
        for warning in fetcher.take_warnings() {
            eprintln!("millstream: {warning}");
        }
        if progress? == Progress::Done {
            return Ok(());
        }
    }
}

/// Where each partition begins and, unless it is followed, ends.
fn spans(
    args: &ConsumeArgs,
    cluster: &mut Cluster,
    topic: &mut TopicInfo,
) -> Result<Vec<Span>, CliError> {
    let all: Vec<i32> = topic.partitions.iter().map(|info| info.index).collect();
    let partitions = match args.partition {
        Some(partition) if !all.contains(&partition) => {
            return Err(CliError::Message(format!(
                "{} has no partition {partition}, only 0 to {}",
                topic.name,
                all.len() - 1
            )));
        }
        Some(partition) => vec![partition],
        None => all,
    };
    let mut at = |at| {
        let patience = Patience::new(Duration::from_secs(args.timeout));
        offsets(cluster, topic, &partitions, at, patience)
    };
    let ends = at(OffsetAt::End)?;
    let begins = match args.from {
        From::Beginning => at(OffsetAt::Start)?,
        From::End => ends.clone(),
        From::Time(timestamp) => at(OffsetAt::Time(timestamp))?,
        From::Offset(offset) => {
            let starts = at(OffsetAt::Start)?;
            if let [partition] = partitions[..] {
                complain(offset, starts[&partition], ends[&partition]);
            }
            let within = |(partition, start): (i32, Offset)| {
                (partition, offset.max(start).min(ends[&partition]))
            };
            starts.into_iter().map(within).collect()
        }
    };
    let span = |partition: &i32| Span {
        partition: *partition,
        position: begins[partition],
        end: (!args.follow).then(|| ends[partition]),
    };
    Ok(partitions.iter().map(span).collect())
}

/// Says so when an offset that was asked for does not exist.
fn complain(offset: Offset, start: Offset, end: Offset) {
    if offset < start || offset > end {
        eprintln!("millstream: there is no offset {offset}: the partition has {start} to {end}");
    }
}
