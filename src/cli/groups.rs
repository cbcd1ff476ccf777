//! `millstream groups`.

use core::time::Duration;
use std::collections::BTreeMap;

use clap::{Args, Subcommand};

use self::reset::ResetArgs;
use super::json::Json;
use super::output::{Progress, print, print_json, print_rows};
use super::{Bootstrap, CliError};
use crate::client::groups::{Group, NamedPartition, committed, delete, describe, list};
use crate::client::{ClientError, Cluster, OffsetAt, Patience, offsets};
use crate::protocol::ErrorCode;
use crate::types::Offset;

mod reset;

/// How long to look for leaders.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Show consumer groups and how far they are, move and delete them
#[derive(Debug, Args)]
pub struct GroupsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List all groups
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        bootstrap: Bootstrap,
    },
    /// Show how far a group is in each partition, and who consumes it
    Describe {
        /// The group's id
        group: String,
        /// Show its members instead
        #[arg(long)]
        members: bool,
        /// Print JSON with both
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        bootstrap: Bootstrap,
    },
    ResetOffsets(ResetArgs),
    /// Delete groups that have no members, with their offsets
    Delete {
        /// The groups' ids
        #[arg(required = true)]
        groups: Vec<String>,
        #[command(flatten)]
        bootstrap: Bootstrap,
    },
}

/// Does what was asked.
///
/// # Errors
/// The broker refuses, or does not answer.
pub fn run(args: &GroupsArgs) -> Result<(), CliError> {
    match &args.action {
        Action::List { json, bootstrap } => {
            let groups = list(&mut bootstrap.cluster()?)?;
            let rows = groups.iter().map(|group| {
                Json::object([
                    ("group", Json::text(&group.id)),
                    ("state", Json::text(&group.state)),
                    ("type", Json::text(&group.kind)),
                    ("protocol", Json::text(&group.protocol_type)),
                ])
            });
            print_rows(rows.collect(), *json, "no groups yet: consumers make them by joining")
        }
        Action::Describe { group, members, json, bootstrap } => {
            let mut cluster = bootstrap.cluster()?;
            show(&mut cluster, group, *members, *json)
        }
        Action::ResetOffsets(args) => reset::run(args),
        Action::Delete { groups, bootstrap } => {
            let mut cluster = bootstrap.cluster()?;
            for group in groups {
                delete(&mut cluster, group).map_err(|error| with_remedy(group, error))?;
                print(format!("deleted group {group}\n"))?;
            }
            Ok(())
        }
    }
}

/// Says what to do, where that is known.
pub(super) fn with_remedy(group: &str, error: ClientError) -> CliError {
    let remedy = match error.code() {
        Some(ErrorCode::GroupIdNotFound) => "; `millstream groups list` shows those that exist",
        Some(ErrorCode::NonEmptyGroup | ErrorCode::UnknownMemberId) => {
            return CliError::Message(format!(
                "{error}; stop its consumers first: `millstream groups describe {group} --members` \
                 shows them"
            ));
        }
        Some(ErrorCode::CoordinatorNotAvailable) => {
            "; is a broker down, or too few for offsets.topic.replication.factor?"
        }
        _ => "",
    };
    CliError::Message(format!("{error}{remedy}"))
}

/// The log start offset and the high watermark of partitions; nothing of those that are gone.
pub(super) fn extents(
    cluster: &mut Cluster,
    partitions: impl IntoIterator<Item = NamedPartition>,
) -> Result<BTreeMap<NamedPartition, (Offset, Offset)>, ClientError> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for (topic, index) in partitions {
        topics.entry(topic).or_default().push(index);
    }
    let mut progress = Progress::new();
    let count = topics.len();
    let mut extents = BTreeMap::new();
    for (at, (name, wanted)) in topics.into_iter().enumerate() {
        progress.show("looking at topics", at, count);
        let mut topic = match cluster.topic(&name, false) {
            Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => continue,
            other => other?,
        };
        let led = topic.partitions.iter().filter(|info| info.leader >= 0).map(|info| info.index);
        let led: Vec<i32> = led.filter(|index| wanted.contains(index)).collect();
        let mut at = |at| offsets(cluster, &mut topic, &led, at, Patience::new(TIMEOUT));
        let (starts, ends) = (at(OffsetAt::Start)?, at(OffsetAt::End)?);
        for (index, start) in starts {
            let end = ends.get(&index).copied().unwrap_or(start);
            extents.insert((name.clone(), index), (start, end));
        }
    }
    Ok(extents)
}

fn show(cluster: &mut Cluster, id: &str, members: bool, json: bool) -> Result<(), CliError> {
    let group = describe(cluster, id).map_err(|error| with_remedy(id, error))?;
    let committed = committed(cluster, id).map_err(|error| with_remedy(id, error))?;
    if group.state == "Dead" && committed.is_empty() {
        let words = "; `millstream groups list` shows those that exist";
        return Err(CliError::Message(format!("there is no group {id}{words}")));
    }
    let assigned = group.members.iter().flat_map(|member| member.partitions.iter().cloned());
    let partitions: std::collections::BTreeSet<NamedPartition> =
        committed.keys().cloned().chain(assigned).collect();
    let extents = extents(cluster, partitions.iter().cloned())?;
    let positions: Vec<Json> = partitions
        .iter()
        .map(|partition| position(&group, partition, &committed, &extents))
        .collect();
    if json {
        return print_json(&Json::object([
            ("group", Json::text(id)),
            ("state", Json::text(&group.state)),
            ("assignor", Json::text(&group.assignor)),
            ("members", Json::list(group.members.iter().map(member_row))),
            ("offsets", Json::List(positions)),
        ]));
    }
    eprintln!("group {id} is {}", if group.state.is_empty() { "unknown" } else { &group.state });
    if members {
        let rows = group.members.iter().map(member_row).collect();
        return print_rows(rows, false, "it has no members");
    }
    print_rows(positions, false, "it has committed no offsets")
}

fn position(
    group: &Group,
    partition: &NamedPartition,
    committed: &BTreeMap<NamedPartition, Offset>,
    extents: &BTreeMap<NamedPartition, (Offset, Offset)>,
) -> Json {
    let committed = committed.get(partition).map(|offset| offset.get());
    let extent = extents.get(partition).map(|(start, end)| (start.get(), end.get()));
    // Who has committed nothing may begin at the first record.
    let lag = extent.map(|(start, end)| (end - committed.unwrap_or(start).max(start)).max(0));
    let owner = group.members.iter().find(|member| member.partitions.contains(partition));
    Json::object([
        ("topic", Json::text(&partition.0)),
        ("partition", partition.1.into()),
        ("committed", committed.into()),
        ("end", extent.map(|(_, end)| end).into()),
        ("lag", lag.into()),
        ("member", owner.map_or(Json::Null, |member| Json::text(&member.id))),
        ("host", owner.map_or(Json::Null, |member| Json::text(&member.host))),
    ])
}

fn member_row(member: &crate::client::groups::Member) -> Json {
    let partitions: Vec<String> =
        member.partitions.iter().map(|(topic, index)| format!("{topic}:{index}")).collect();
    Json::object([
        ("member", Json::text(&member.id)),
        ("instance", member.instance_id.as_ref().map_or(Json::Null, Json::text)),
        ("client_id", Json::text(&member.client_id)),
        ("host", Json::text(&member.host)),
        ("partitions", Json::text(partitions.join(" "))),
    ])
}
