//! The whole broker: one pinned thread per shard, threads beside them, and an orderly end.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use rustix::fs::{FlockOperation, flock};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use socket2::{Domain, Protocol, Socket, Type};

use super::file::{Closer, run_closer};
use super::mesh::Mesh;
use super::pump::{self, Core};
use super::wake::Waker;
use super::workers::Workers;
use crate::shard::{Exit, Shard, ShardConfig};

/// The file whose lock says that the directory is in use.
const LOCK: &str = ".lock";
const BACKLOG: i32 = 1024;

/// Why the broker did not start.
#[derive(Debug)]
pub enum StartError {
    /// The data directory cannot be made or used.
    Directory(String, io::Error),
    /// Another broker uses it.
    InUse(String),
    /// The address cannot be listened on.
    Address(SocketAddr, io::Error),
    /// The kernel refuses what every core needs.
    Core(io::Error),
    /// What was found in the data directory stands against it.
    Data(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path, error) => {
                write!(f, "the data directory {path} cannot be used: {error}")
            }
            Self::InUse(path) => write!(
                f,
                "the data directory {path} is in use by another broker: stop that one, or choose \
                 another directory with --set log.dirs=DIR"
            ),
            Self::Address(address, error) => write!(
                f,
                "cannot listen on {address}: {error}; choose another address with \
                 --set listeners=PLAINTEXT://HOST:PORT"
            ),
            Self::Core(error) => write!(
                f,
                "io_uring is not available: {error}; Linux 6.1 or later is needed, with \
                 kernel.io_uring_disabled=0"
            ),
            Self::Data(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for StartError {}

/// A broker that runs.
pub struct Broker {
    cores: Vec<JoinHandle<io::Result<Exit>>>,
    stop: Arc<AtomicBool>,
    wakers: Vec<Waker>,
    serving: Receiver<()>,
    /// Held as long as the broker runs.
    lock: File,
}

impl Broker {
    /// Locks the data directory, making it if need be, and starts a shard for each configuration.
    ///
    /// # Errors
    /// What stands against it.
    pub fn start(configs: Vec<ShardConfig>, address: SocketAddr) -> Result<Self, StartError> {
        let root = configs.first().expect("at least one shard").root.to_string();
        let lock = lock(&root)?;
        let mut wakers = Vec::new();
        let mut listeners = Vec::new();
        for _ in &configs {
            wakers.push(Waker::new().map_err(StartError::Core)?);
            listeners.push(listen(address).map_err(|error| StartError::Address(address, error))?);
        }
        let (closer, closing) = Closer::new();
        thread::Builder::new()
            .name("closer".to_owned())
            .spawn(move || run_closer(&closing))
            .map_err(StartError::Core)?;
        let workers = Workers::start(&closer);
        let stop = Arc::new(AtomicBool::new(false));
        let (serving_sender, serving) = channel();
        let places = places();
        let mut cores = Vec::new();
        let meshes = Mesh::new(&wakers);
        for (index, ((config, mesh), listener)) in
            configs.into_iter().zip(meshes).zip(listeners).enumerate()
        {
            let waker = wakers[index].clone();
            let door = workers.door(waker.clone());
            let (stop, serving) = (Arc::clone(&stop), serving_sender.clone());
            let place = places[index % places.len()];
            let run = move || {
                pin(place);
                let shard = Shard::new(config);
                pump::run(Core { shard, listener, mesh, waker, door, stop, serving })
            };
            let name = format!("shard-{index}");
            let core = thread::Builder::new().name(name).spawn(run).map_err(StartError::Core)?;
            cores.push(core);
        }
        Ok(Self { cores, stop, wakers, serving, lock })
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
            Ok(Ok(Exit::Stopped)) => StartError::Data("stopped before it had started".to_owned()),
            Ok(Err(error)) => StartError::Core(error),
            Err(_) => StartError::Data("a core panicked".to_owned()),
        }
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

fn lock(root: &str) -> Result<File, StartError> {
    let failed = |error| StartError::Directory(root.to_owned(), error);
    fs::create_dir_all(root).map_err(failed)?;
    let path = Path::new(root).join(LOCK);
    let file =
        File::options().write(true).create(true).truncate(false).open(path).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StartError::InUse(root.to_owned())),
        Err(error) => Err(failed(error.into())),
    }
}

/// One of several sockets on an address, between which the kernel shares connections out.
fn listen(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The processors that this process may use.
fn places() -> Vec<usize> {
    let all = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    let places: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu)).collect();
    if places.is_empty() { vec![0] } else { places }
}

fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    // A core that cannot be pinned still works.
    let _ = sched_setaffinity(None, &set);
}
