//! A broker as a process of its own: started, watched through procfs, killed.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use millstream::client::Connection;

/// How long a broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running broker, ours or one that was running already.
pub(crate) struct Broker {
    pub(crate) address: String,
    pid: u32,
    child: Option<Child>,
    started: Instant,
}

impl Broker {
    /// Starts `millstream serve`; nothing has been awaited when this returns.
    pub(crate) fn start(binary: &str, data: &Path, port: u16, cores: usize) -> Self {
        let address = format!("127.0.0.1:{port}");
        // The kernel takes a killed process's ring apart, and with it the listener, after its end.
        let asked = Instant::now();
        while std::net::TcpListener::bind(&address).is_err() && asked.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
        let started = Instant::now();
        let child = Command::new(binary)
            .args(["serve", "--listen", &address, "--cores", &cores.to_string(), "--data"])
            .arg(data)
            .stdout(Stdio::null())
            .spawn()
            .expect("a Millstream binary");
        Self { address, pid: child.id(), child: Some(child), started }
    }

    /// One that somebody else started.
    #[allow(dead_code, reason = "perf/start starts all its brokers")]
    pub(crate) fn running(address: &str, pid: u32) -> Self {
        Self { address: address.to_owned(), pid, child: None, started: Instant::now() }
    }

    /// Waits for the first ApiVersions answer; the time since the process was started.
    pub(crate) fn await_answer(&self) -> Duration {
        while self.started.elapsed() < PATIENCE {
            if Connection::open(&self.address, PATIENCE).is_ok() {
                return self.started.elapsed();
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        panic!("{} does not answer", self.address);
    }

    /// Since the process was started.
    #[allow(dead_code, reason = "perf/durable looks at no start")]
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// CPU seconds of the process so far, and bytes that it sent to the device.
    #[allow(dead_code, reason = "perf/start looks at neither")]
    pub(crate) fn consumed(&self) -> (f64, u64) {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).expect("it runs");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
        let written = self.field("io", "write_bytes:");
        ((ticks(11) + ticks(12)) / 100.0, written)
    }

    /// Bytes of memory that the process holds.
    #[allow(dead_code, reason = "perf/durable does not look at it")]
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.field("status", "VmRSS:") * 1024
    }

    fn field(&self, file: &str, name: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.pid)).expect("it runs");
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
    }
}

/// kill -9, if we started it.
impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
