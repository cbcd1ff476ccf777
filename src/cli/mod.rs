//! What was typed.

pub mod consume;
mod escapes;
mod failure;
pub mod inspect;
mod json;
pub mod produce;
pub mod serve;
mod table;
mod timestamp;
pub mod topics;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

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
    Inspect(inspect::InspectArgs),
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
