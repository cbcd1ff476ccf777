//! What the machine has, and what of it this process may use.

use std::fs;
use std::net::{Ipv6Addr, TcpListener, ToSocketAddrs as _};
use std::path::Path;
use std::thread;

use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::system::{sysinfo, uname};

/// The processors that this process may use.
pub(super) fn cores() -> u16 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(cores).unwrap_or(u16::MAX)
}

/// The memory that this process may use: the machine's, or what its control groups leave of it.
pub(super) fn memory_bytes() -> u64 {
    let info = sysinfo();
    let machine = info.totalram.saturating_mul(u64::from(info.mem_unit));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let root = Path::new("/sys/fs/cgroup");
    let limits = Path::new(own.trim_start_matches('/')).ancestors().filter_map(|group| {
        let text = fs::read_to_string(root.join(group).join("memory.max")).ok()?;
        text.trim().parse().ok()
    });
    limits.min().map_or(machine, |limit: u64| limit.min(machine))
}

/// A name by which clients find this machine: its own if it can be resolved here, as theirs may.
pub(super) fn host_name() -> String {
    let name = uname().nodename().to_string_lossy().into_owned();
    let found = (name.as_str(), 0).to_socket_addrs().ok().and_then(|mut found| found.next());
    found.map_or_else(|| "localhost".to_owned(), |_| name)
}

/// Whether sockets of IPv6 can be opened.
pub(super) fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// Connections and segments need descriptors; the limit that most systems start with is for
/// programs that use `select`.
pub(super) fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With the lower limit the broker works too, with fewer connections.
    let _ = setrlimit(Resource::Nofile, limit);
}
