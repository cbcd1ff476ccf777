//! `millstream offsets`.

use core::time::Duration;

use clap::{Args, Subcommand};

use super::from::From;
use super::groups::{extents, with_remedy};
use super::json::Json;
use super::output::{print, print_rows};
use super::{Bootstrap, CliError};
use crate::client::groups::delete_offsets;
use crate::client::{Cluster, OffsetAt, Patience, TopicInfo, offsets};

/// How long to look for leaders.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Show the offsets of topics, and delete those that groups have committed
#[derive(Debug, Args)]
pub struct OffsetsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show where partitions begin and end, or where a time lies in them
    List {
        /// The topics
        #[arg(required = true)]
        topics: Vec<String>,
        /// Show the offset of the first record of this time or later, such as 2026-01-31T12:00:00Z,
        /// or @ and milliseconds
        #[arg(long, value_name = "TIME")]
        at: Option<From>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        bootstrap: Bootstrap,
    },
    /// Delete what a group has committed for a topic that it does not consume any more
    Delete {
        /// The group's id
        #[arg(long, value_name = "ID")]
        group: String,
        /// The topic
        #[arg(long, value_name = "NAME")]
        topic: String,
        /// Only this partition; may be given several times
        #[arg(long, value_name = "N")]
        partition: Vec<i32>,
        #[command(flatten)]
        bootstrap: Bootstrap,
    },
}

/// Does what was asked.
///
/// # Errors
/// The broker refuses, or does not answer.
pub fn run(args: &OffsetsArgs) -> Result<(), CliError> {
    match &args.action {
        Action::List { topics, at, json, bootstrap } => {
            let mut cluster = bootstrap.cluster()?;
            let mut rows = Vec::new();
            for name in topics {
                let topic = topic(&mut cluster, name)?;
                rows.extend(rows_of(&mut cluster, topic, *at)?);
            }
            print_rows(rows, *json, "no partitions")
        }
        Action::Delete { group, topic: name, partition, bootstrap } => {
            let mut cluster = bootstrap.cluster()?;
            let topic = topic(&mut cluster, name)?;
            let all = topic.partitions.iter().map(|info| info.index);
            let wanted = all.filter(|index| partition.is_empty() || partition.contains(index));
            let wanted: Vec<_> = wanted.map(|index| (name.clone(), index)).collect();
            let deleted = delete_offsets(&mut cluster, group, &wanted);
            deleted.map_err(|error| with_remedy(group, error))?;
            print(format!("deleted the offsets of group {group} for {name}\n"))
        }
    }
}

fn topic(cluster: &mut Cluster, name: &str) -> Result<TopicInfo, CliError> {
    cluster.topic(name, false).map_err(|error| {
        CliError::Message(format!("{error}; `millstream topics list` shows those that exist"))
    })
}

fn rows_of(
    cluster: &mut Cluster,
    mut topic: TopicInfo,
    at: Option<From>,
) -> Result<Vec<Json>, CliError> {
    let name = topic.name.clone();
    let indexes: Vec<i32> = topic.partitions.iter().map(|info| info.index).collect();
    let at = match at {
        None => {
            let named = indexes.iter().map(|index| (name.clone(), *index));
            let extents = extents(cluster, named)?;
            let rows = extents.into_iter().map(|((topic, index), (start, end))| {
                Json::object([
                    ("topic", Json::text(topic)),
                    ("partition", index.into()),
                    ("start", start.get().into()),
                    ("end", end.get().into()),
                    ("offsets", (end.get() - start.get()).into()),
                ])
            });
            return Ok(rows.collect());
        }
        Some(From::Beginning) => OffsetAt::Start,
        Some(From::End) => OffsetAt::End,
        Some(From::Time(time)) => OffsetAt::Time(time),
        Some(From::Offset(_)) => {
            let words = "--at wants a time, such as 2026-01-31T12:00:00Z, beginning or end";
            return Err(CliError::Message(words.to_owned()));
        }
    };
    let found = offsets(cluster, &mut topic, &indexes, at, Patience::new(TIMEOUT))?;
    let rows = found.into_iter().map(|(index, offset)| {
        Json::object([
            ("topic", Json::text(&name)),
            ("partition", index.into()),
            ("offset", offset.get().into()),
        ])
    });
    Ok(rows.collect())
}
