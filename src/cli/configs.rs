//! `millstream configs`.

use clap::{Args, Subcommand};

use super::json::Json;
use super::output::{print, print_rows};
use super::produce::key_and_value;
use super::{Bootstrap, CliError};
use crate::client::ClientError;
use crate::client::configs::{Resource, Setting, alter, describe};
use crate::protocol::ErrorCode;

/// Show and alter settings of topics, brokers, groups and client metrics
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  millstream configs describe --topic visits
  millstream configs set --topic visits retention.ms=3600000
  millstream configs set --all-brokers log.retention.ms=86400000
  millstream configs delete --topic visits retention.ms")]
pub struct ConfigsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show settings: those that were given, or all
    Describe {
        #[command(flatten)]
        of: Of,
        /// Show those too that nobody gave a value
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        bootstrap: Bootstrap,
    },
    /// Give settings values
    Set {
        #[command(flatten)]
        of: Of,
        /// The settings
        #[arg(required = true, value_name = "NAME=VALUE", value_parser = key_and_value)]
        settings: Vec<(String, String)>,
        #[command(flatten)]
        how: How,
    },
    /// Take values away, so that those count that would without them
    Delete {
        #[command(flatten)]
        of: Of,
        /// The settings
        #[arg(required = true, value_name = "NAME")]
        settings: Vec<String>,
        #[command(flatten)]
        how: How,
    },
}

/// Whose settings.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Of {
    /// Settings of a topic
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// Settings of one broker
    #[arg(long, value_name = "NODE")]
    broker: Option<i32>,
    /// Settings of all brokers
    #[arg(long)]
    all_brokers: bool,
    /// Settings of a group
    #[arg(long, value_name = "ID")]
    group: Option<String>,
    /// Settings of a subscription to clients' metrics
    #[arg(long, value_name = "NAME")]
    client_metrics: Option<String>,
}

impl Of {
    fn resource(&self) -> Resource {
        let topic = self.topic.clone().map(Resource::Topic);
        let broker = self.broker.map(Resource::Broker);
        let group = self.group.clone().map(Resource::Group);
        let metrics = self.client_metrics.clone().map(Resource::ClientMetrics);
        topic.or(broker).or(group).or(metrics).unwrap_or(Resource::Brokers)
    }
}

#[derive(Debug, Args)]
struct How {
    /// Only ask whether it would be possible
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

/// Does what was asked.
///
/// # Errors
/// The broker refuses, or does not answer.
pub fn run(args: &ConfigsArgs) -> Result<(), CliError> {
    match &args.action {
        Action::Describe { of, all, json, bootstrap } => {
            let resource = of.resource();
            let described = describe(&mut bootstrap.cluster()?, &resource);
            let mut settings = described.map_err(|error| with_remedy(&resource, error))?;
            settings.retain(|setting| *all || setting.is_own(&resource));
            let none = format!("{resource} has no settings of its own; --all shows every one");
            print_rows(settings.iter().map(row).collect(), *json, &none)
        }
        Action::Set { of, settings, how } => {
            let changes: Vec<_> =
                settings.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
            change(&of.resource(), &changes, how)
        }
        Action::Delete { of, settings, how } => {
            let changes: Vec<_> = settings.iter().map(|name| (name.clone(), None)).collect();
            change(&of.resource(), &changes, how)
        }
    }
}

fn change(
    resource: &Resource,
    changes: &[(String, Option<String>)],
    how: &How,
) -> Result<(), CliError> {
    let altered = alter(&mut how.bootstrap.cluster()?, resource, changes, how.dry_run);
    altered.map_err(|error| with_remedy(resource, error))?;
    let done = if how.dry_run { "would alter" } else { "altered" };
    print(format!("{done} {resource}\n"))
}

fn row(setting: &Setting) -> Json {
    Json::object([
        ("setting", Json::text(&setting.name)),
        ("value", setting.value.as_ref().map_or(Json::Null, Json::text)),
        ("source", Json::text(setting.source_name())),
        ("read_only", Json::Bool(setting.read_only)),
        ("sensitive", Json::Bool(setting.is_sensitive)),
    ])
}

/// Says what to do, where that is known.
fn with_remedy(resource: &Resource, error: ClientError) -> CliError {
    let remedy = match (error.code(), resource) {
        (Some(ErrorCode::UnknownTopicOrPartition), _) => {
            "; `millstream topics list` shows those that exist"
        }
        (Some(ErrorCode::InvalidConfig), Resource::Topic(name)) => {
            return CliError::Message(format!(
                "{error}; `millstream configs describe --topic {name} --all` shows every setting"
            ));
        }
        (Some(ErrorCode::InvalidRequest), Resource::Broker(_) | Resource::Brokers) => {
            "; read-only settings stand in the broker's file and need a restart"
        }
        _ => "",
    };
    CliError::Message(format!("{error}{remedy}"))
}
