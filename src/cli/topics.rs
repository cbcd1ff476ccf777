//! `millstream topics`.

use core::time::Duration;
use std::collections::BTreeMap;

use clap::{Args, Subcommand};

use super::json::Json;
use super::output::{print, print_json};
use super::produce::key_and_value;
use super::table::Table;
use super::{Bootstrap, CliError};
use crate::client::admin::{NewTopic, create_topic, delete_topic};
use crate::client::configs::{self, Resource};
use crate::client::{ClientError, Cluster, OffsetAt, PartitionInfo, Patience, TopicInfo, offsets};
use crate::protocol::ErrorCode;
use crate::types::Offset;

/// How long to look for leaders.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Create, list, describe and delete topics
#[derive(Debug, Args)]
pub struct TopicsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create a topic
    Create {
        /// The new topic's name
        name: String,
        /// How many partitions [default: the broker's num.partitions]
        #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
        partitions: Option<i32>,
        /// How many replicas of each partition [default: the broker's default.replication.factor]
        #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
        replication_factor: Option<i16>,
        /// A setting of the topic, such as retention.ms=3600000; may be given several times
        #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
        settings: Vec<(String, String)>,
        #[command(flatten)]
        bootstrap: Bootstrap,
    },
    /// List all topics
    List {
        /// Include those that belong to the brokers
        #[arg(long)]
        internal: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        bootstrap: Bootstrap,
    },
    /// Show a topic's partitions and settings
    Describe {
        /// The topic
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        bootstrap: Bootstrap,
    },
    /// Delete a topic with all its records
    Delete {
        /// The topic
        name: String,
        #[command(flatten)]
        bootstrap: Bootstrap,
    },
}

/// Does what was asked.
///
/// # Errors
/// The broker refuses, or does not answer.
pub fn run(args: &TopicsArgs) -> Result<(), CliError> {
    match &args.action {
        Action::Create { name, partitions, replication_factor, settings, bootstrap } => {
            let mut cluster = bootstrap.cluster()?;
            let (partitions, replication_factor) = (*partitions, *replication_factor);
            let topic = NewTopic { name, partitions, replication_factor, settings };
            create_topic(&mut cluster, &topic).map_err(|error| with_remedy(name, error))?;
            print(format!("created topic {name}\n"))
        }
        Action::List { internal, json, bootstrap } => {
            let mut topics = bootstrap.cluster()?.topics()?;
            topics.retain(|topic| *internal || !topic.is_internal);
            list(&topics, *json)
        }
        Action::Describe { name, json, bootstrap } => {
            let mut cluster = bootstrap.cluster()?;
            let topic = cluster.topic(name, false).map_err(|error| with_remedy(name, error))?;
            describe(&mut cluster, topic, *json)
        }
        Action::Delete { name, bootstrap } => {
            let mut cluster = bootstrap.cluster()?;
            delete_topic(&mut cluster, name).map_err(|error| with_remedy(name, error))?;
            print(format!("deleted topic {name}\n"))
        }
    }
}

/// Says what to do, where that is known.
fn with_remedy(topic: &str, error: ClientError) -> CliError {
    let remedy = match error.code() {
        Some(ErrorCode::TopicAlreadyExists) => {
            format!(
                "; look at it with `millstream topics describe {topic}`, or delete it with \
                 `millstream topics delete {topic}`"
            )
        }
        Some(ErrorCode::UnknownTopicOrPartition) => {
            "; `millstream topics list` shows those that exist".to_owned()
        }
        Some(ErrorCode::InvalidReplicationFactor) => {
            "; --replication-factor can be at most the number of brokers".to_owned()
        }
        Some(ErrorCode::TopicDeletionDisabled) => {
            "; set delete.topic.enable=true at the broker".to_owned()
        }
        _ => String::new(),
    };
    CliError::Message(format!("{error}{remedy}"))
}

fn replication_factor(topic: &TopicInfo) -> usize {
    topic.partitions.iter().map(|info| info.replicas.len()).max().unwrap_or(0)
}

fn list(topics: &[TopicInfo], json: bool) -> Result<(), CliError> {
    if json {
        return print_json(&Json::list(topics.iter().map(|topic| {
            Json::object([
                ("name", Json::text(&topic.name)),
                ("id", Json::text(topic.id)),
                ("partitions", topic.partitions.len().into()),
                ("replication_factor", replication_factor(topic).into()),
                ("internal", Json::Bool(topic.is_internal)),
            ])
        })));
    }
    let mut table = Table::new(&["TOPIC", "PARTITIONS", "REPLICAS"]);
    for topic in topics {
        let (partitions, replicas) = (topic.partitions.len(), replication_factor(topic));
        table.row(vec![topic.name.clone(), partitions.to_string(), replicas.to_string()]);
    }
    if table.is_empty() {
        eprintln!("no topics yet: create one with `millstream topics create NAME`");
        return Ok(());
    }
    print(table.render(0))
}

/// The offsets of partitions; none for those without a leader.
#[derive(Debug)]
struct Extent {
    starts: BTreeMap<i32, Offset>,
    ends: BTreeMap<i32, Offset>,
}

impl Extent {
    fn of(cluster: &mut Cluster, topic: &TopicInfo) -> Result<Self, ClientError> {
        let led = topic.partitions.iter().filter(|info| info.leader >= 0);
        let led: Vec<i32> = led.map(|info| info.index).collect();
        let mut topic = topic.clone();
        let mut at = |at| offsets(cluster, &mut topic, &led, at, Patience::new(TIMEOUT));
        Ok(Self { starts: at(OffsetAt::Start)?, ends: at(OffsetAt::End)? })
    }

    fn range(&self, partition: i32) -> Option<(i64, i64)> {
        Some((self.starts.get(&partition)?.get(), self.ends.get(&partition)?.get()))
    }
}

fn describe(cluster: &mut Cluster, topic: TopicInfo, json: bool) -> Result<(), CliError> {
    let resource = Resource::Topic(topic.name.clone());
    let settings = match configs::describe(cluster, &resource) {
        // Not every broker tells; the rest is worth showing.
        Err(ClientError::Unsupported { .. }) => Vec::new(),
        other => other?,
    };
    let own = settings.into_iter().filter(|setting| setting.is_own(&resource));
    let settings: Vec<(String, String)> = own
        .map(|setting| (setting.name, setting.value.unwrap_or_else(|| "(hidden)".to_owned())))
        .collect();
    let extent = Extent::of(cluster, &topic)?;
    if json {
        return print_json(&description(&topic, &settings, &extent));
    }
    let replicas = replication_factor(&topic);
    let mut text = format!("topic         {}\n", topic.name);
    text += &format!("id            {}\n", topic.id);
    text += &format!("partitions    {}\n", topic.partitions.len());
    text += &format!("replicas      {replicas}\n");
    for (at, (name, value)) in settings.iter().enumerate() {
        let label = if at == 0 { "settings" } else { "" };
        text += &format!("{label:<14}{name}={value}\n");
    }
    let columns = ["PARTITION", "LEADER", "REPLICAS", "IN SYNC", "START", "END", "OFFSETS"];
    let mut table = Table::new(&columns);
    for info in &topic.partitions {
        table.row(row(info, &extent));
    }
    text.push('\n');
    text += &table.render(0);
    print(text)
}

fn row(info: &PartitionInfo, extent: &Extent) -> Vec<String> {
    let ids = |ids: &[i32]| ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
    let [start, end, count] = match extent.range(info.index) {
        Some((start, end)) => [start, end, end - start].map(|number| number.to_string()),
        None => ["-", "-", "-"].map(str::to_owned),
    };
    let leader = if info.leader >= 0 { info.leader.to_string() } else { "none".to_owned() };
    let (replicas, in_sync) = (ids(&info.replicas), ids(&info.in_sync_replicas));
    vec![info.index.to_string(), leader, replicas, in_sync, start, end, count]
}

fn description(topic: &TopicInfo, settings: &[(String, String)], extent: &Extent) -> Json {
    let ids = |ids: &[i32]| Json::list(ids.iter().map(|id| Json::from(*id)));
    let settings = settings.iter().map(|(name, value)| (name.clone(), Json::text(value)));
    let partitions = topic.partitions.iter().map(|info| {
        let range = extent.range(info.index);
        Json::object([
            ("partition", info.index.into()),
            ("leader", info.leader.into()),
            ("replicas", ids(&info.replicas)),
            ("in_sync_replicas", ids(&info.in_sync_replicas)),
            ("start_offset", range.map_or(Json::Null, |(start, _)| start.into())),
            ("end_offset", range.map_or(Json::Null, |(_, end)| end.into())),
        ])
    });
    Json::object([
        ("name", Json::text(&topic.name)),
        ("id", Json::text(topic.id)),
        ("internal", Json::Bool(topic.is_internal)),
        ("settings", Json::Object(settings.collect())),
        ("partitions", Json::list(partitions)),
    ])
}
