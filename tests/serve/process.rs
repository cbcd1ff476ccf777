//! `millstream serve` as a process: started, listened to, signalled. Only processes that were started
//! here are ever ended.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Nothing that a broker is asked for takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);
/// The last line of what a broker prints when it serves.
const LAST_LINE: &str = "Ctrl-C or SIGTERM stops it.";

/// A directory of a test, empty at first and gone afterwards.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("serve-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a process that has ended said.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub output: String,
    pub errors: String,
}

/// A broker that serves.
pub struct Running {
    child: Child,
    output: Receiver<String>,
    errors: Receiver<String>,
    /// What it printed at its start.
    pub greeting: String,
}

/// Runs `millstream serve` until it serves, or to its end.
pub fn serve(folder: &Folder, arguments: &[&str]) -> Result<Running, Ended> {
    Running::begun(folder, arguments, &[]).greeted()
}

/// The same where it has to serve, on a free port and on one core.
pub fn started(folder: &Folder, arguments: &[&str]) -> Running {
    serve(folder, &with_defaults(arguments))
        .unwrap_or_else(|ended| panic!("{arguments:?}: {ended:?}"))
}

/// Runs it with such an environment, and does not wait for anything.
pub fn begun(folder: &Folder, arguments: &[&str], environment: &[(&str, &str)]) -> Running {
    Running::begun(folder, &with_defaults(arguments), environment)
}

/// The same where it must not serve; answers what it says about it.
pub fn refused(folder: &Folder, arguments: &[&str]) -> String {
    match serve(folder, &with_defaults(arguments)) {
        Ok(running) => panic!("{arguments:?} serves: {}", running.greeting),
        Err(ended) => {
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert!(!ended.errors.contains("panicked"), "{ended:?}");
            ended.errors
        }
    }
}

fn with_defaults<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut all = arguments.to_vec();
    for (flag, value) in [("--listen", "127.0.0.1:0"), ("--cores", "1")] {
        let setting = flag.replace("--listen", "listeners=");
        if !all.iter().any(|given| *given == flag || given.starts_with(&setting)) {
            all.extend([flag, value]);
        }
    }
    all
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

impl Running {
    fn begun(folder: &Folder, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_millstream"))
            .arg("serve")
            .args(arguments)
            .current_dir(folder.path())
            .env_remove("RUST_LOG")
            .env_remove("NOTIFY_SOCKET")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = lines(child.stdout.take().unwrap());
        let errors = lines(child.stderr.take().unwrap());
        Self { child, output, errors, greeting: String::new() }
    }

    /// Waits for the last line of its greeting, or for its end.
    pub fn greeted(mut self) -> Result<Self, Ended> {
        loop {
            let Ok(line) = self.output.recv_timeout(PATIENCE) else { return Err(self.end()) };
            self.greeting.push_str(&line);
            self.greeting.push('\n');
            if line == LAST_LINE {
                return Ok(self);
            }
        }
    }

    /// The next line that it writes to standard error.
    pub fn error_line(&self) -> String {
        self.errors.recv_timeout(PATIENCE).unwrap()
    }

    /// Where it says that it is watched.
    pub fn admin_address(&self) -> SocketAddr {
        let told = self.greeting.split("at http://").nth(1).unwrap();
        told.split(' ').next().unwrap().parse().unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it says that clients find it.
    pub fn address(&self) -> SocketAddr {
        let told = self.greeting.split("clients connect to ").nth(1).unwrap();
        told.lines().next().unwrap().replace("localhost", "127.0.0.1").parse().unwrap()
    }

    /// Sends a signal and waits for the end.
    pub fn stop(self, signal: Signal) -> Ended {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        self.end()
    }

    /// A stop as it should be; answers everything that was written to standard error.
    pub fn stop_cleanly(self) -> String {
        let ended = self.stop(Signal::TERM);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.errors
    }

    fn end(mut self) -> Ended {
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "the broker does not end: {}", self.greeting);
            thread::sleep(Duration::from_millis(5));
        };
        let mut output = std::mem::take(&mut self.greeting);
        let rest = |lines: &Receiver<String>| lines.iter().map(|line| line + "\n").collect();
        let more: String = rest(&self.output);
        output.push_str(&more);
        Ended { code: status.code(), output, errors: rest(&self.errors) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
