//! What a broker tells the person who started it.

use core::time::Duration;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use super::start::Start;
use crate::config::Durability;

pub(super) fn print(start: &Start, port: u16, directory: &Path, took: Duration) {
    let mut text = String::new();
    let (host, told_port) = start.told(port);
    let address = match host.contains(':') {
        true => format!("[{host}]:{told_port}"),
        false => format!("{host}:{told_port}"),
    };
    let acknowledged = match start.settings.topic_defaults.durability {
        Durability::Disk => "on disk before it is acknowledged (ack.durability=disk)",
        Durability::Memory => {
            "in memory when it is acknowledged, on disk milliseconds later (ack.durability=memory)"
        }
    };
    let cores = match start.cores {
        1 => "1 core".to_owned(),
        cores => format!("{cores} cores"),
    };
    let bootstrap = match address.as_str() {
        "127.0.0.1:9092" => String::new(),
        address => format!(" --bootstrap {address}"),
    };
    let lines = [
        format!(
            "Millstream {}, node {}, on {cores}: started in {} ms",
            env!("CARGO_PKG_VERSION"),
            start.settings.node_id,
            took.as_millis()
        ),
        format!(
            "  listens on   {}, port {port}; clients connect to {address}",
            start.listen_host()
        ),
        format!("  keeps data   in {}", directory.display()),
        format!("  has a write  {acknowledged}"),
        "Try next, in another terminal:".to_owned(),
        format!("  echo hello | millstream produce greetings{bootstrap}"),
        format!("  millstream consume greetings{bootstrap}"),
        format!("  kafka-console-producer.sh --bootstrap-server {address} --topic greetings"),
        "Ctrl-C or SIGTERM stops it.".to_owned(),
    ];
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    say(&text);
}

pub(super) fn print_end() {
    say("Stopped: everything is on disk.\n");
}

/// Nothing was promised to anybody yet.
pub(super) fn print_early_end() {
    say("Stopped before it had started: nothing that was acknowledged is lost.\n");
}

/// A broker goes on when nobody reads what it says.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
