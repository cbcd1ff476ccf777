//! `millstream inspect`.

use std::path::PathBuf;

use clap::Args;

use super::CliError;

/// Look into a data directory
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The data directory
    directory: PathBuf,
}

/// x
///
/// # Errors
/// x
pub fn run(_args: &InspectArgs) -> Result<(), CliError> {
    Ok(())
}
