//! `millstream completions`.

use clap::{Args, Command};
use clap_complete::Shell;

use super::CliError;
use super::output::print;

/// Print a script that completes commands and options in a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  millstream completions bash > /etc/bash_completion.d/millstream
  millstream completions zsh > ~/.zfunc/_millstream
  millstream completions fish > ~/.config/fish/completions/millstream.fish")]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script for all that `command` knows.
///
/// # Errors
/// It cannot be written.
pub fn run(args: &CompletionsArgs, command: &mut Command) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "millstream", &mut script);
    print(script)
}
