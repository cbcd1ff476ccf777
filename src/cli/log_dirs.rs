//! `millstream log-dirs`.

use clap::{Args, Subcommand};

use super::json::Json;
use super::output::{Progress, print_rows};
use super::{Bootstrap, CliError};
use crate::client::log_directories::{LogDirectory, describe};

/// Show what lies in the brokers' data directories
#[derive(Debug, Args)]
pub struct LogDirsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List directories with the space of their devices
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        bootstrap: Bootstrap,
    },
    /// Show the partitions in them, the largest first
    Describe {
        /// Only this topic's partitions
        #[arg(long, value_name = "NAME")]
        topic: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        bootstrap: Bootstrap,
    },
}

/// Does what was asked.
///
/// # Errors
/// A broker does not answer.
pub fn run(args: &LogDirsArgs) -> Result<(), CliError> {
    match &args.action {
        Action::List { json, bootstrap } => {
            let directories = directories(bootstrap)?;
            let rows = directories.iter().map(|directory| {
                let bytes: i64 = directory.replicas.iter().map(|it| it.size_bytes).sum();
                Json::object([
                    ("broker", directory.node.into()),
                    ("directory", Json::text(&directory.path)),
                    ("partitions", directory.replicas.len().into()),
                    ("size_bytes", bytes.into()),
                    ("usable_bytes", directory.usable_bytes.into()),
                    ("total_bytes", directory.total_bytes.into()),
                ])
            });
            print_rows(rows.collect(), *json, "no broker has a directory")
        }
        Action::Describe { topic, json, bootstrap } => {
            let directories = directories(bootstrap)?;
            let replicas = directories
                .iter()
                .flat_map(|directory| directory.replicas.iter().map(move |it| (directory, it)));
            let wanted = |name: &str| topic.as_ref().is_none_or(|topic| topic == name);
            let mut replicas: Vec<_> = replicas.filter(|(_, it)| wanted(&it.topic)).collect();
            replicas.sort_by_key(|(_, replica)| core::cmp::Reverse(replica.size_bytes));
            let rows = replicas.into_iter().map(|(directory, replica)| {
                Json::object([
                    ("topic", Json::text(&replica.topic)),
                    ("partition", replica.partition.into()),
                    ("broker", directory.node.into()),
                    ("size_bytes", replica.size_bytes.into()),
                    ("lag", replica.lag.into()),
                    ("directory", Json::text(&directory.path)),
                ])
            });
            print_rows(rows.collect(), *json, "nothing is stored there")
        }
    }
}

fn directories(bootstrap: &Bootstrap) -> Result<Vec<LogDirectory>, CliError> {
    let mut progress = Progress::new();
    let asked = |done, all| progress.show("asking brokers", done, all);
    Ok(describe(&mut bootstrap.cluster()?, asked)?)
}
