//! `millstream groups reset-offsets`: what would change is shown first, and done when asked for.

use core::time::Duration;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use super::{TIMEOUT, extents, with_remedy};
use crate::cli::from::From;
use crate::cli::json::Json;
use crate::cli::output::{print, print_rows};
use crate::cli::{Bootstrap, CliError};
use crate::client::groups::{NamedPartition, commit, committed, describe};
use crate::client::{Cluster, OffsetAt, Patience, offsets};
use crate::protocol::ErrorCode;
use crate::types::{Offset, Timestamp};

/// Move a group that has no members to other offsets
///
/// Without --execute nothing is changed: the new offsets are shown. Offsets outside of a partition
/// become its first or its end.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  millstream groups reset-offsets billing --topic visits --to beginning
  millstream groups reset-offsets billing --topic visits:0,3 --to 1500 --execute
  millstream groups reset-offsets billing --all-topics --to 2026-01-31T12:00:00Z --execute
  millstream groups reset-offsets billing --all-topics --back 2h --execute
  millstream groups reset-offsets billing --all-topics --to end --csv > offsets.csv
  millstream groups reset-offsets billing --file offsets.csv --execute")]
pub(super) struct ResetArgs {
    /// The group's id
    group: String,
    /// A topic, or some of its partitions; may be given several times
    #[arg(long, value_name = "NAME[:N,N]", value_parser = topic_and_partitions)]
    topic: Vec<(String, Vec<i32>)>,
    /// All topics of which the group has committed offsets
    #[arg(long, conflicts_with = "topic")]
    all_topics: bool,
    #[command(flatten)]
    target: TargetArgs,
    /// Change the offsets
    #[arg(long)]
    execute: bool,
    /// Print TOPIC,PARTITION,OFFSET lines, as --file reads them
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct TargetArgs {
    /// `beginning`, `end`, an offset, a time such as 2026-01-31T12:00:00Z, or @ and milliseconds
    #[arg(long, value_name = "PLACE")]
    to: Option<From>,
    /// So many records further; with a minus, back
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    shift: Option<i64>,
    /// The first record not older than this, such as 90s, 15m, 2h or 3d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    back: Option<Duration>,
    /// The offsets of a file with TOPIC,PARTITION,OFFSET lines
    #[arg(long, value_name = "FILE", conflicts_with_all = ["topic", "all_topics"])]
    file: Option<PathBuf>,
}

fn topic_and_partitions(text: &str) -> Result<(String, Vec<i32>), String> {
    let Some((name, numbers)) = text.rsplit_once(':') else {
        return Ok((text.to_owned(), Vec::new()));
    };
    let partitions: Result<Vec<i32>, _> = numbers.split(',').map(str::parse).collect();
    let partitions = partitions.map_err(|_| "write NAME, or NAME:0,1".to_owned())?;
    Ok((name.to_owned(), partitions))
}

fn duration(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        "d" => Some(86_400),
        _ => None,
    };
    let seconds = number.parse::<u64>().ok().zip(seconds).and_then(|(n, unit)| n.checked_mul(unit));
    seconds.map(Duration::from_secs).ok_or_else(|| "write 90s, 15m, 2h or 3d".to_owned())
}

/// A partition's move.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Move {
    partition: NamedPartition,
    before: Option<Offset>,
    after: Offset,
}

/// Shows the moves, or makes them.
pub(super) fn run(args: &ResetArgs) -> Result<(), CliError> {
    let mut cluster = args.bootstrap.cluster()?;
    let id = &args.group;
    let failed = |error| with_remedy(id, error);
    let before = committed(&mut cluster, id).map_err(failed)?;
    let wanted = wanted(args, &mut cluster, &before)?;
    let extents = extents(&mut cluster, wanted.keys().cloned())?;
    let moves = moves(&wanted, &before, &extents)?;
    if args.execute {
        check_rest(&mut cluster, id)?;
        let after = moves.iter().map(|it| (it.partition.clone(), it.after)).collect();
        commit(&mut cluster, id, &after).map_err(failed)?;
    }
    if args.csv {
        let line = |it: &Move| format!("{},{},{}\n", it.partition.0, it.partition.1, it.after);
        print(moves.iter().map(line).collect::<String>())?;
    } else {
        print_rows(moves.iter().map(row).collect(), args.json, "there is nothing to move")?;
    }
    if !args.execute {
        eprintln!("nothing is changed yet: --execute does it");
    }
    Ok(())
}

/// A group that nobody has joined begins with its first offsets.
fn check_rest(cluster: &mut Cluster, id: &str) -> Result<(), CliError> {
    match describe(cluster, id) {
        Ok(group) if group.is_at_rest() => Ok(()),
        Ok(group) => Err(CliError::Message(format!(
            "group {id} is {}: stop its consumers first; `millstream groups describe {id} \
             --members` shows them",
            group.state
        ))),
        Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => Ok(()),
        Err(error) => Err(with_remedy(id, error)),
    }
}

fn row(it: &Move) -> Json {
    Json::object([
        ("topic", Json::text(&it.partition.0)),
        ("partition", it.partition.1.into()),
        ("committed", it.before.map(|offset| offset.get()).into()),
        ("new", it.after.get().into()),
    ])
}

/// The offset wanted in each partition, which may lie outside of it.
fn wanted(
    args: &ResetArgs,
    cluster: &mut Cluster,
    before: &BTreeMap<NamedPartition, Offset>,
) -> Result<BTreeMap<NamedPartition, i64>, CliError> {
    if let Some(file) = &args.target.file {
        return read_file(file);
    }
    let partitions = partitions(args, cluster, before)?;
    if let Some(shift) = args.target.shift {
        return partitions
            .into_iter()
            .map(|partition| match before.get(&partition) {
                Some(offset) => Ok((partition, offset.get().saturating_add(shift))),
                None => {
                    let (topic, index) = partition;
                    let words = "choose a place with --to";
                    Err(CliError::Message(format!(
                        "{topic} partition {index} has no committed offset to shift: {words}"
                    )))
                }
            })
            .collect();
    }
    let at = match (args.target.to, args.target.back) {
        (Some(From::Offset(offset)), _) => {
            return Ok(partitions.into_iter().map(|it| (it, offset.get())).collect());
        }
        (Some(From::Beginning), _) => OffsetAt::Start,
        (Some(From::End), _) => OffsetAt::End,
        (Some(From::Time(time)), _) => OffsetAt::Time(time),
        (None, back) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let then = now.saturating_sub(back.expect("one of them is required")).as_millis();
            OffsetAt::Time(Timestamp::new(i64::try_from(then).unwrap_or(i64::MAX)))
        }
    };
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for (topic, index) in partitions {
        topics.entry(topic).or_default().push(index);
    }
    let mut wanted = BTreeMap::new();
    for (name, indexes) in topics {
        let mut topic = cluster.topic(&name, false)?;
        let found = offsets(cluster, &mut topic, &indexes, at, Patience::new(TIMEOUT))?;
        wanted.extend(found.iter().map(|(index, offset)| ((name.clone(), *index), offset.get())));
    }
    Ok(wanted)
}

fn partitions(
    args: &ResetArgs,
    cluster: &mut Cluster,
    before: &BTreeMap<NamedPartition, Offset>,
) -> Result<Vec<NamedPartition>, CliError> {
    if args.all_topics {
        return Ok(before.keys().cloned().collect());
    }
    if args.topic.is_empty() {
        let words = "of which topics? name them with --topic NAME, or take --all-topics";
        return Err(CliError::Message(words.to_owned()));
    }
    let mut partitions = Vec::new();
    for (name, indexes) in &args.topic {
        let topic = cluster.topic(name, false).map_err(|error| {
            CliError::Message(format!("{error}; `millstream topics list` shows those that exist"))
        })?;
        let all = topic.partitions.iter().map(|info| info.index);
        let chosen = all.filter(|index| indexes.is_empty() || indexes.contains(index));
        partitions.extend(chosen.map(|index| (name.clone(), index)));
        let count = topic.partitions.len();
        if let Some(index) = indexes.iter().find(|it| !(0..count as i64).contains(&i64::from(**it)))
        {
            let words = format!("{name} has no partition {index}: it has {count}");
            return Err(CliError::Message(words));
        }
    }
    Ok(partitions)
}

fn read_file(path: &Path) -> Result<BTreeMap<NamedPartition, i64>, CliError> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| CliError::io(name, &error))?;
    parse_lines(&text).map_err(|line| {
        let words = "expected TOPIC,PARTITION,OFFSET";
        CliError::Message(format!("{}:{line}: {words}", path.display()))
    })
}

/// The offsets of a file, or the number of the first line that is wrong.
fn parse_lines(text: &str) -> Result<BTreeMap<NamedPartition, i64>, usize> {
    let mut wanted = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(|it| it.trim().trim_matches('"')).collect();
        let [topic, index, offset] = fields[..] else { return Err(number) };
        let numbers = index.parse::<i32>().ok().zip(offset.parse::<i64>().ok());
        let (index, offset) = numbers.filter(|_| !topic.is_empty()).ok_or(number)?;
        wanted.insert((topic.to_owned(), index), offset);
    }
    Ok(wanted)
}

/// What becomes of each partition, within its bounds.
fn moves(
    wanted: &BTreeMap<NamedPartition, i64>,
    before: &BTreeMap<NamedPartition, Offset>,
    extents: &BTreeMap<NamedPartition, (Offset, Offset)>,
) -> Result<Vec<Move>, CliError> {
    wanted
        .iter()
        .map(|(partition, offset)| {
            let Some((start, end)) = extents.get(partition) else {
                let (topic, index) = partition;
                let words = "`millstream topics list` shows what exists";
                return Err(CliError::Message(format!(
                    "there is no {topic} partition {index} with a leader; {words}"
                )));
            };
            let after = Offset::new((*offset).clamp(start.get(), end.get()));
            let before = before.get(partition).copied();
            Ok(Move { partition: partition.clone(), before, after })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(index: i32) -> NamedPartition {
        ("t".to_owned(), index)
    }

    #[test]
    fn offsets_stay_within_their_partition() {
        let wanted = BTreeMap::from([(named(0), -5), (named(1), 7), (named(2), 99)]);
        let extent = (Offset::new(5), Offset::new(10));
        let extents = (0..3).map(|index| (named(index), extent)).collect();
        let before = BTreeMap::from([(named(1), Offset::new(6))]);
        let moves = moves(&wanted, &before, &extents).unwrap();
        let after: Vec<i64> = moves.iter().map(|it| it.after.get()).collect();
        assert_eq!(after, [5, 7, 10]);
        assert_eq!(moves[1].before, Some(Offset::new(6)));
        let missing = BTreeMap::from([(named(9), 1)]);
        assert!(super::moves(&missing, &before, &extents).is_err());
    }

    #[test]
    fn files_are_read_line_by_line() {
        let expected = BTreeMap::from([(named(0), 5), (named(1), 7)]);
        assert_eq!(parse_lines("t,0,5\n\n\"t\", 1, 7\n"), Ok(expected));
        for (text, line) in [("t,0", 1), ("t,0,5\nt,x,5", 2), (",0,5", 1), ("t,0,5,6", 1)] {
            assert_eq!(parse_lines(text), Err(line), "{text}");
        }
    }

    #[test]
    fn durations_and_partitions_are_read() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        assert!(duration("2").is_err() && duration("h").is_err() && duration("-2h").is_err());
        assert_eq!(topic_and_partitions("t"), Ok(("t".to_owned(), vec![])));
        assert_eq!(topic_and_partitions("t:0,3"), Ok(("t".to_owned(), vec![0, 3])));
        assert!(topic_and_partitions("t:x").is_err());
    }
}
