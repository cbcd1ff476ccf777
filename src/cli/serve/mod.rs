//! `millstream serve`.

mod failure;
mod greeting;
mod logs;
mod machine;
mod service;
mod shards;
mod signals;
mod start;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

pub use self::failure::ServeError;
use self::greeting::Voice;
use self::signals::Signals;
use self::start::Start;
use crate::config::{LogFormat, OperationSettings};
use crate::runtime::{Admin, Broker, Claim, Observer, StartError};

/// Run a broker
///
/// Without any option this is a complete cluster of one node: it listens on 127.0.0.1:9092 and
/// keeps its data in ./millstream-data.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  millstream serve
  millstream serve --listen 0.0.0.0:9092 --data /var/lib/millstream
  millstream serve --config server.properties --set num.partitions=4")]
pub struct ServeArgs {
    /// A file of settings as for Apache Kafka's brokers
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A setting that wins over the file; may be given several times
    #[arg(long, short, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// The directory for the data, short for --set log.dirs=DIR
    #[arg(long, short, value_name = "DIR")]
    data: Option<String>,
    /// Where to listen, short for --set listeners=PLAINTEXT://HOST:PORT; port 0 takes a free one
    #[arg(long, short, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Cores to use, short for --set cores=N; 0 for all
    #[arg(long, value_name = "N")]
    cores: Option<u32>,
    /// Refuse names of settings that are not known, instead of warning
    #[arg(long)]
    strict: bool,
}

/// Runs a broker until it is asked to stop.
///
/// # Errors
/// Why it did not start, or could not go on.
pub fn run(args: &ServeArgs) -> Result<(), ServeError> {
    let begun = Instant::now();
    // From here on a signal is not lost, though it is looked at later.
    let signals = Signals::register().map_err(ServeError::Signals)?;
    let start = Start::resolve(args)?;
    logs::begin(&start.settings.operation);
    if start.settings.operation.log_format == LogFormat::Text {
        return serve(&start, signals, begun);
    }
    // Whoever reads objects is not given sentences between them.
    serve(&start, signals, begun).map_err(|error| {
        tracing::error!(%error, "ended");
        ServeError::Logged
    })
}

fn serve(start: &Start, signals: Signals, begun: Instant) -> Result<(), ServeError> {
    let voice = Voice::of(start);
    start.notices.iter().for_each(|notice| voice.notice(notice));
    machine::raise_descriptor_limit();
    let address = start.address()?;
    let claim = Claim::new(&start.root, address, start.cores, &start.settings.network)?;
    let directory = std::fs::canonicalize(&start.root).unwrap_or_else(|_| (&start.root).into());
    let port = claim.port();
    let mut broker = Broker::start(shards::configs(start, port), claim)?;
    signals.stop_on(broker.stopper());
    let admin = admin(&start.settings.operation, broker.observer(), voice);
    match broker.wait_until_serving() {
        Ok(()) => {}
        Err(StartError::Stopped) => {
            voice.early_end();
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    voice.greet(start, port, admin, &directory, begun.elapsed());
    service::ready(broker.observer());
    broker.wait()?;
    voice.end();
    Ok(())
}

/// Answers on the admin port, and says where. The broker serves its clients without it too.
fn admin(settings: &OperationSettings, observer: Observer, voice: Voice) -> Option<SocketAddr> {
    let wanted = settings.admin_address?;
    let served = Admin::bind(wanted, !settings.admin_is_chosen).and_then(|admin| {
        let address = admin.address()?;
        admin.serve(observer)?;
        Ok(address)
    });
    let failed = |error| {
        voice.notice(&format!(
            "admin.listen={wanted}: {error}: there are no metrics; free the port, or choose \
             another with --set admin.listen=ADDRESS:PORT"
        ));
    };
    served.map_err(failed).ok()
}
