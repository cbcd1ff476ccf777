//! What was typed.

pub mod completions;
pub mod configs;
pub mod consume;
mod escapes;
mod failure;
mod from;
pub mod groups;
pub mod inspect;
mod json;
pub mod log_dirs;
pub mod offsets;
mod output;
pub mod produce;
pub mod quotas;
pub mod serve;
mod table;
mod timestamp;
pub mod topics;

use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

pub use self::failure::CliError;
use crate::client::{ClientError, Cluster};

/// A Kafka-compatible event broker.
#[derive(Debug, Parser)]
#[command(name = "millstream", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Produce(produce::ProduceArgs),
    Consume(consume::ConsumeArgs),
    Topics(topics::TopicsArgs),
    Groups(groups::GroupsArgs),
    Offsets(offsets::OffsetsArgs),
    Configs(configs::ConfigsArgs),
    Quotas(quotas::QuotasArgs),
    LogDirs(log_dirs::LogDirsArgs),
    Inspect(inspect::InspectArgs),
    Completions(completions::CompletionsArgs),
}

/// Where a cluster is found.
#[derive(Clone, Debug, Args)]
pub struct Bootstrap {
    /// Brokers to begin with, separated by commas
    #[arg(long, short, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    bootstrap: String,
}

impl Bootstrap {
    /// The cluster behind these addresses.
    ///
    /// # Errors
    /// They are no addresses.
    pub fn cluster(&self) -> Result<Cluster, ClientError> {
        Cluster::new(&self.bootstrap)
    }
}

/// Does what was typed.
pub fn run() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Serve(args) => serve::run(&args).map_err(CliError::from),
        Command::Produce(args) => produce::run(&args),
        Command::Consume(args) => consume::run(&args),
        Command::Topics(args) => topics::run(&args),
        Command::Groups(args) => groups::run(&args),
        Command::Offsets(args) => offsets::run(&args),
        Command::Configs(args) => configs::run(&args),
        Command::Quotas(args) => quotas::run(&args),
        Command::LogDirs(args) => log_dirs::run(&args),
        Command::Completions(args) => completions::run(&args, &mut CommandLine::command()),
        Command::Inspect(args) => inspect::run(&args),
    };
    match result {
        // Whoever read the output has seen enough.
        Ok(()) | Err(CliError::OutputClosed) => ExitCode::SUCCESS,
        Err(CliError::Logged) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("millstream: {error}");
            ExitCode::FAILURE
        }
    }
}
