//! The whole broker: one pinned thread per shard, threads beside them, and an orderly end.

use std::fmt;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use rustix::process::{Resource, getrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::claim::Claim;
use super::file::{Closer, run_closer};
use super::mesh::Mesh;
use super::observer::Observer;
use super::pump::{self, Core};
use super::wake::Waker;
use super::workers::Workers;
use crate::shard::{Exit, Shard, ShardConfig};

/// Why the broker did not start.
#[derive(Debug)]
pub enum StartError {
    /// The data directory cannot be made or used.
    Directory(String, io::Error),
    /// Another broker uses it, whose process is known or not.
    InUse(String, Option<u32>),
    /// The address cannot be listened on.
    Address(SocketAddr, io::Error),
    /// The kernel refuses what every core needs.
    Core(io::Error),
    /// What was found in the data directory stands against it.
    Data(String),
    /// It was asked to stop before it had started.
    Stopped,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path, error) => write!(
                f,
                "the data directory {path} cannot be used: {error}; make it writable for this \
                 user, or choose another with --data DIR"
            ),
            Self::InUse(path, holder) => {
                write!(f, "the data directory {path} is in use by another broker")?;
                if let Some(pid) = holder {
                    write!(f, ", process {pid}")?;
                }
                f.write_str(": stop that one, or choose another directory with --data DIR")
            }
            Self::Address(address, error) => {
                let why = match error.kind() {
                    io::ErrorKind::AddrInUse => "another process listens there: stop that one",
                    io::ErrorKind::PermissionDenied => "ports below 1024 need privileges: get them",
                    io::ErrorKind::AddrNotAvailable => "the address is not this machine's: mend it",
                    _ => return write!(f, "cannot listen on {address}: {error}"),
                };
                write!(f, "cannot listen on {address}: {why}, or choose another address with ")?;
                f.write_str("--listen HOST:PORT")
            }
            Self::Core(error) => write!(
                f,
                "io_uring is not available: {error}; Linux 6.1 or later is needed, with \
                 kernel.io_uring_disabled=0"
            ),
            Self::Data(reason) => f.write_str(reason),
            Self::Stopped => f.write_str("stopped before it had started"),
        }
    }
}

impl std::error::Error for StartError {}

/// A broker that runs.
pub struct Broker {
    cores: Vec<JoinHandle<io::Result<Exit>>>,
    stop: Arc<AtomicBool>,
    wakers: Vec<Waker>,
    observer: Observer,
    serving: Receiver<()>,
    /// Held as long as the broker runs.
    lock: File,
}

impl Broker {
    /// Starts a shard for each configuration on what was claimed for them.
    ///
    /// # Errors
    /// What stands against it.
    ///
    /// # Panics
    /// When the claim was made for another number of shards.
    pub fn start(configs: Vec<ShardConfig>, claim: Claim) -> Result<Self, StartError> {
        let Claim { lock, listeners, .. } = claim;
        assert_eq!(configs.len(), listeners.len(), "each shard has its listener");
        let wakers = configs.iter().map(|_| Waker::new()).collect::<io::Result<Vec<_>>>();
        let wakers = wakers.map_err(StartError::Core)?;
        let (closer, closing) = Closer::new();
        thread::Builder::new()
            .name("closer".to_owned())
            .spawn(move || run_closer(&closing))
            .map_err(StartError::Core)?;
        let workers = Workers::start(&closer);
        let stop = Arc::new(AtomicBool::new(false));
        let (serving_sender, serving) = channel();
        let places = places();
        let connections_max = connections_max() / configs.len();
        let mut cores = Vec::new();
        let meshes = Mesh::new(&wakers);
        let (observer, questions) = Observer::new(&wakers);
        for (index, (((config, mesh), listener), questions)) in
            configs.into_iter().zip(meshes).zip(listeners).zip(questions).enumerate()
        {
            let waker = wakers[index].clone();
            let door = workers.door(waker.clone());
            let (stop, serving) = (Arc::clone(&stop), serving_sender.clone());
            let place = places[index % places.len()];
            let run = move || {
                pin(place);
                let shard = Shard::new(config);
                pump::run(Core {
                    shard,
                    listener,
                    connections_max,
                    mesh,
                    waker,
                    door,
                    stop,
                    serving,
                    questions,
                })
            };
            let name = format!("shard-{index}");
            let core = thread::Builder::new().name(name).spawn(run).map_err(StartError::Core)?;
            cores.push(core);
        }
        Ok(Self { cores, stop, wakers, observer, serving, lock })
    }

    /// Waits until every shard accepts connections.
    ///
    /// # Errors
    /// Why one does not.
    pub fn wait_until_serving(&mut self) -> Result<(), StartError> {
        for _ in 0..self.cores.len() {
            loop {
                match self.serving.recv_timeout(std::time::Duration::from_millis(20)) {
                    Ok(()) => break,
                    Err(_) => {
                        if let Some(ended) = self.cores.iter().position(JoinHandle::is_finished) {
                            return Err(self.why_ended(ended));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn why_ended(&mut self, core: usize) -> StartError {
        match self.cores.swap_remove(core).join() {
            Ok(Ok(Exit::Failed(reason))) => StartError::Data(reason),
            Ok(Ok(Exit::Stopped)) => StartError::Stopped,
            Ok(Err(error)) => StartError::Core(error),
            Err(_) => StartError::Data("a core panicked".to_owned()),
        }
    }

    /// Something that asks the broker how it is doing, from any thread.
    pub fn observer(&self) -> Observer {
        self.observer.clone()
    }

    /// Something that asks the broker to stop, from any thread.
    pub fn stopper(&self) -> Stopper {
        Stopper { stop: Arc::clone(&self.stop), wakers: self.wakers.clone() }
    }

    /// Waits until the broker has ended.
    ///
    /// # Errors
    /// Why it did not end as it should. Nothing that was not on disk has been acknowledged, and the
    /// process should end at once.
    pub fn wait(mut self) -> Result<(), StartError> {
        while !self.cores.is_empty() {
            let ended = self.cores.iter().position(JoinHandle::is_finished);
            let Some(ended) = ended else {
                thread::sleep(std::time::Duration::from_millis(5));
                continue;
            };
            match self.cores.swap_remove(ended).join() {
                Ok(Ok(Exit::Stopped)) => {}
                Ok(Ok(Exit::Failed(reason))) => return Err(StartError::Data(reason)),
                Ok(Err(error)) => return Err(StartError::Core(error)),
                Err(_) => return Err(StartError::Data("a core panicked".to_owned())),
            }
        }
        drop(self.lock);
        Ok(())
    }
}

/// Asks a broker to stop.
#[derive(Clone, Debug)]
pub struct Stopper {
    stop: Arc<AtomicBool>,
    wakers: Vec<Waker>,
}

impl Stopper {
    /// Begins the orderly end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.wakers.iter().for_each(Waker::wake);
    }
}

/// The processors that this process may use.
fn places() -> Vec<usize> {
    let all = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    let places: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu)).collect();
    if places.is_empty() { vec![0] } else { places }
}

/// How many connections there may be: some descriptors are kept for files, without which the broker
/// could not go on.
fn connections_max() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(limit / 4 * 3).unwrap_or(usize::MAX)
}

fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    // A core that cannot be pinned still works.
    let _ = sched_setaffinity(None, &set);
}
