//! What a broker holds before anything of it runs: its data directory and its address.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use socket2::{Domain, Protocol, Socket, Type};

use super::StartError;
use crate::config::NetworkSettings;

/// The file whose lock says that the directory is in use. It holds the number of the process.
const LOCK: &str = ".lock";
const PID_DIGITS_MAX: u64 = 10;

/// Waiting connections cost nothing, and Kafka's default of 50 makes clients that start together wait
/// for a second.
const BACKLOG_MIN: u32 = 1024;
/// What every file for Kafka says. The system's own buffers grow with what a connection carries.
const SOCKET_BUFFER_DEFAULT: u32 = 102_400;
/// How long an address may stay taken.
const ADDRESS_PATIENCE: core::time::Duration = core::time::Duration::from_secs(5);
const ADDRESS_PAUSE: core::time::Duration = core::time::Duration::from_millis(20);

/// A data directory that nobody else uses, and sockets for each core on one address.
#[derive(Debug)]
pub struct Claim {
    pub(super) lock: File,
    pub(super) listeners: Vec<OwnedFd>,
    port: u16,
}

impl Claim {
    /// Locks the directory, making it if need be, and listens. Nobody is served before the broker
    /// is: connections wait.
    ///
    /// # Errors
    /// What stands against it.
    pub fn new(
        root: &str,
        address: SocketAddr,
        cores: u16,
        network: &NetworkSettings,
    ) -> Result<Self, StartError> {
        let lock = lock(root)?;
        let failed = |error| StartError::Address(address, error);
        let (listeners, port) = listen(address, cores, network).map_err(failed)?;
        Ok(Self { lock, listeners, port })
    }

    /// The port, which the system may have chosen.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn lock(root: &str) -> Result<File, StartError> {
    let failed = |error| StartError::Directory(root.to_owned(), error);
    fs::create_dir_all(root).map_err(failed)?;
    let path = Path::new(root).join(LOCK);
    let mut options = File::options();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            return Err(StartError::InUse(root.to_owned(), holder(&mut file)));
        }
        Err(error) => return Err(failed(error.into())),
    }
    file.set_len(0).map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

/// Who holds the lock, as far as it is known.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_DIGITS_MAX + 1).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Several sockets on one address, between which the kernel shares connections out.
fn listen(
    address: SocketAddr,
    cores: u16,
    network: &NetworkSettings,
) -> io::Result<(Vec<OwnedFd>, u16)> {
    // Sockets that share an address share it with another broker of the same user too. Only one
    // that does not share finds out that the address is taken.
    try_alone(address)?;
    let mut address = address;
    let mut listeners = Vec::new();
    for _ in 0..cores {
        let socket = bind(address, true)?;
        if let Some(bound) = socket.local_addr()?.as_socket() {
            address.set_port(bound.port());
        }
        // Accepted sockets inherit both.
        if let Some(bytes) = network.send_buffer_bytes.filter(is_chosen) {
            socket.set_send_buffer_size(bytes as usize)?;
        }
        if let Some(bytes) = network.receive_buffer_bytes.filter(is_chosen) {
            socket.set_recv_buffer_size(bytes as usize)?;
        }
        listeners.push(socket);
    }
    for socket in &listeners {
        let backlog = network.backlog.max(BACKLOG_MIN);
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    }
    let listeners = listeners.into_iter().map(OwnedFd::from).collect();
    Ok((listeners, address.port()))
}

/// Listens alone for a moment. A killed broker's address stays taken until the kernel has taken its
/// rings apart, so one that is taken is tried again for some seconds.
fn try_alone(address: SocketAddr) -> io::Result<()> {
    let start = std::time::Instant::now();
    loop {
        match bind(address, false).and_then(|alone| alone.listen(1)) {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse
                    && start.elapsed() < ADDRESS_PATIENCE =>
            {
                std::thread::sleep(ADDRESS_PAUSE);
            }
            result => return result,
        }
    }
}

fn is_chosen(bytes: &u32) -> bool {
    *bytes != SOCKET_BUFFER_DEFAULT
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        // All interfaces are those of IPv4 too.
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}
