//! The broker as a process: started, asked whether it serves, stopped, killed. Only the process that
//! was started here is ever ended.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use millstream::protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};

use crate::wire::Connection;

/// Nothing that a broker is asked for takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a broker is started. The only place that knows the command line.
fn command(directory: &Path, port: u16, cores: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
    command.arg("serve").arg("--data").arg(directory);
    command.args(["--listen", &format!("127.0.0.1:{port}"), "--cores", &cores.to_string()]);
    command
}

/// How a broker is asked to stop.
fn ask_to_stop(child: &Child) -> Result<(), String> {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).map_err(text)
}

pub struct Broker {
    child: Child,
    pub address: SocketAddr,
    log: std::path::PathBuf,
}

impl Broker {
    /// Starts a process, without waiting for it. What it writes goes to `log`.
    pub fn spawn(directory: &Path, cores: u16, log: &Path) -> Result<Self, String> {
        let address = free_address()?;
        let open = || File::options().create(true).append(true).open(log);
        let (output, errors) = (open().map_err(text)?, open().map_err(text)?);
        let child = command(directory, address.port(), cores)
            .env("RUST_LOG", "millstream=info")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(text)?;
        Ok(Self { child, address, log: log.to_owned() })
    }

    /// Starts a process and waits until it answers.
    pub fn start(directory: &Path, cores: u16, log: &Path) -> Result<Self, String> {
        let mut broker = Self::spawn(directory, cores, log)?;
        broker.wait_until_serving()?;
        Ok(broker)
    }

    /// Waits until the broker answers a request.
    pub fn wait_until_serving(&mut self) -> Result<(), String> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().map_err(text)? {
                return Err(format!("the broker ended with {status}: {}", self.last_words()));
            }
            if answers(self.address) {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("the broker does not serve: {}", self.last_words()));
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has counted, as its admin port tells it.
    pub fn metrics(&self) -> Result<String, String> {
        let mut stream = TcpStream::connect(self.admin_address()?).map_err(text)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").map_err(text)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(text)?;
        match answer.split_once("\r\n\r\n") {
            Some((head, page)) if head.contains(" 200 ") => Ok(page.to_owned()),
            _ => Err(format!("asked for its metrics the broker answers {answer}")),
        }
    }

    /// Where it says that it is watched, which it says once it serves.
    fn admin_address(&self) -> Result<SocketAddr, String> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let written = std::fs::read_to_string(&self.log).map_err(text)?;
            if let Some((_, told)) = written.split_once("at http://")
                && let Some((address, _)) = told.split_once(' ')
            {
                return address.parse().map_err(text);
            }
            std::thread::sleep(Duration::from_millis(3));
        }
        Err(format!("the broker does not say where it is watched: {}", self.last_words()))
    }

    /// Asks the broker to stop and waits until it has ended in order.
    pub fn stop(mut self) -> Result<(), String> {
        ask_to_stop(&self.child)?;
        match self.wait()? {
            Some(0) => Ok(()),
            code => Err(format!("a stop ended with {code:?}: {}", self.last_words())),
        }
    }

    /// Kills the broker at once.
    pub fn kill(mut self) -> Result<(), String> {
        self.child.kill().map_err(text)?;
        self.wait().map(|_| ())
    }

    /// Waits for the end; answers the exit code, or none after a signal.
    pub fn wait(&mut self) -> Result<Option<i32>, String> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().map_err(text)? {
                return Ok(status.code());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(format!("the broker does not end: {}", self.last_words()))
    }

    /// The last lines that it wrote.
    pub fn last_words(&self) -> String {
        let written = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = written.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of this machine that nobody listens on.
fn free_address() -> Result<SocketAddr, String> {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(text)
}

fn answers(address: SocketAddr) -> bool {
    let Ok(mut connection) = Connection::open(address) else { return false };
    let request = ApiVersionsRequest::default();
    let answered =
        connection.call(0, &request, |response: &ApiVersionsResponse<'_>| response.error_code);
    answered == Ok(0)
}

pub fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
