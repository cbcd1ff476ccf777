//! The real binary on a directory of its own; or, with `BAD_INPUT_AGAINST=HOST:PORT`, a broker that
//! runs already, to see what another one answers. What is known of our process only is then zero.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A quarter of it is for requests that are not complete.
const MEMORY: &str = "memory.bytes=2147483648";
/// What a broker prints last when it serves.
const LAST_LINE: &str = "Ctrl-C or SIGTERM stops it.";

/// A broker that runs until it is dropped.
pub struct Broker {
    process: Option<(Child, PathBuf)>,
    pub address: SocketAddr,
}

/// How the binary is started: the only place that knows its command line.
fn command(directory: &str, port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
    let listen = format!("127.0.0.1:{port}");
    command.args(["serve", "--data", directory, "--listen", &listen, "--cores", "1"]);
    command.args(["--set", MEMORY]);
    command
}

impl Broker {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With settings of its own.
    pub fn start_with(settings: &[&str]) -> Self {
        Self::start_by(|directory, port| {
            let mut broker = command(directory, port);
            broker.args(settings.iter().flat_map(|setting| ["--set", setting]));
            broker
        })
    }

    /// A broker that may have so many descriptors.
    pub fn start_with_descriptors(descriptors: u32) -> Self {
        Self::start_by(|directory, port| {
            let broker = command(directory, port);
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"")]);
            shell.arg(broker.get_program()).args(broker.get_args());
            shell
        })
    }

    fn start_by(command: impl Fn(&str, u16) -> Command) -> Self {
        if let Ok(address) = std::env::var("BAD_INPUT_AGAINST") {
            return Self { process: None, address: address.parse().unwrap() };
        }
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("millstream-bad-input-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = command(directory.to_str().unwrap(), port)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said: Vec<String> =
            lines.map_while(Result::ok).take_while(|line| line != LAST_LINE).collect();
        assert!(said.len() > 1, "the broker said {said:?}");
        Self { process: Some((child, directory)), address: ([127, 0, 0, 1], port).into() }
    }

    /// Memory that the process has.
    pub fn resident_bytes(&self) -> u64 {
        self.status("VmRSS:") << 10
    }

    /// The most memory that the process has had.
    pub fn resident_bytes_max(&self) -> u64 {
        self.status("VmHWM:") << 10
    }

    fn status(&self, field: &str) -> u64 {
        let Some((child, _)) = &self.process else { return 0 };
        let path = format!("/proc/{}/status", child.id());
        let status = std::fs::read_to_string(path).expect("the broker runs");
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Processor time that the process has used, in hundredths of a second.
    pub fn processor_ticks(&self) -> u64 {
        let Some((child, _)) = &self.process else { return 0 };
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id()));
        let stat = stat.expect("the broker runs");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Sockets that the process has open.
    pub fn sockets(&self) -> usize {
        let Some((child, _)) = &self.process else { return 0 };
        let path = format!("/proc/{}/fd", child.id());
        let descriptors = std::fs::read_dir(path).expect("the broker runs");
        let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let Some((child, directory)) = &mut self.process else { return };
        let _ = child.kill();
        let _ = child.wait();
        let _ = std::fs::remove_dir_all(directory);
    }
}
