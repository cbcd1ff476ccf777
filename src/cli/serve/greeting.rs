//! What a broker tells the person who started it: sentences, or where its log is read by programs,
//! events of the log.

use core::time::Duration;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use super::start::Start;
use crate::config::{Durability, LogFormat};

/// How a broker speaks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Voice {
    /// To people.
    Sentences,
    /// To programs.
    Events,
}

impl Voice {
    pub(super) fn of(start: &Start) -> Self {
        match start.settings.operation.log_format {
            LogFormat::Text => Self::Sentences,
            LogFormat::Json => Self::Events,
        }
    }

    /// Something about the settings.
    pub(super) fn notice(self, notice: &str) {
        match self {
            Self::Sentences => eprintln!("{notice}"),
            Self::Events => tracing::warn!("{notice}"),
        }
    }

    /// It serves.
    pub(super) fn greet(
        self,
        start: &Start,
        port: u16,
        admin: Option<SocketAddr>,
        directory: &Path,
        took: Duration,
    ) {
        match self {
            Self::Sentences => greeting(start, port, admin, directory, took),
            Self::Events => tracing::info!(
                version = env!("CARGO_PKG_VERSION"),
                node = start.settings.node_id.get(),
                cores = start.cores,
                host = start.listen_host(),
                port,
                admin = admin.map(tracing::field::display),
                directory = %directory.display(),
                took_ms = took.as_millis() as u64,
                "serving"
            ),
        }
    }

    pub(super) fn end(self) {
        match self {
            Self::Sentences => say("Stopped: everything is on disk.\n"),
            Self::Events => tracing::info!("stopped"),
        }
    }

    /// Nothing was promised to anybody yet.
    pub(super) fn early_end(self) {
        match self {
            Self::Sentences => {
                say("Stopped before it had started: nothing that was acknowledged is lost.\n");
            }
            Self::Events => tracing::info!("stopped before it had started"),
        }
    }
}

fn greeting(start: &Start, port: u16, admin: Option<SocketAddr>, directory: &Path, took: Duration) {
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
    let watched = match admin {
        Some(admin) => format!("at http://{admin} with /metrics, /health and /ready"),
        None => "nowhere: it has no admin port".to_owned(),
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
        format!("  is watched   {watched}"),
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

/// A broker goes on when nobody reads what it says.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
