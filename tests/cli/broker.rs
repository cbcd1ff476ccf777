//! A broker of the real binary, and the commands against it, each with a bounded wait.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// Far above what anything takes here: a test that hangs fails.
pub const PATIENCE: Duration = Duration::from_secs(90);

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A directory that goes with the test.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("millstream-cli-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub struct Broker {
    pub scratch: Scratch,
    port: u16,
    child: Option<Child>,
    options: Vec<String>,
}

impl Broker {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With these options of `serve` beside the usual ones.
    pub fn start_with(options: &[&str]) -> Self {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut broker = Self { scratch: Scratch::new(), port, child: None, options };
        broker.restart();
        broker
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.scratch.0.join("data")
    }

    /// With other options of `serve` than before.
    pub fn restart_with(&mut self, options: &[&str]) {
        self.options = options.iter().map(|option| (*option).to_owned()).collect();
        self.restart();
    }

    pub fn restart(&mut self) {
        self.kill();
        fs::create_dir_all(self.data()).unwrap();
        let data = self.data();
        let listen = self.address();
        let data = data.to_str().unwrap();
        let mut command =
            millstream(&["serve", "--data", data, "--listen", &listen, "--cores", "1"]);
        let command = command.args(&self.options).stdin(Stdio::null()).stdout(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        // Answers are waited for: the address is taken before it serves, and a killed broker's lives
        // on until the kernel has taken its rings apart.
        let start = Instant::now();
        while !finish(self.command(&["topics", "list"]), b"").status.success() {
            assert!(start.elapsed() < PATIENCE, "the broker does not serve");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Without any chance to clean up.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            child.wait().unwrap();
        }
    }

    /// As it should end.
    pub fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        Command::new("kill").arg(child.id().to_string()).status().unwrap();
        wait(&mut child);
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A command for this broker, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = millstream(arguments);
        command.args(["--bootstrap", &self.address()]);
        command
    }

    /// Runs a command; what it printed.
    pub fn run(&self, arguments: &[&str]) -> Vec<u8> {
        succeeded(arguments, finish(self.command(arguments), b""))
    }

    /// Runs a command that fails; its message.
    pub fn refuse(&self, arguments: &[&str]) -> String {
        failure(self.command(arguments))
    }

    /// Produces the input under these options and says what the summary counts.
    pub fn produce(&self, arguments: &[&str], input: &[u8]) -> String {
        let arguments = [&["produce"], arguments].concat();
        let output = finish(self.command(&arguments), input);
        let summary = String::from_utf8_lossy(&output.stderr).into_owned();
        succeeded(&arguments, output);
        summary.split(" in ").next().unwrap().to_owned()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn millstream(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
    command.args(arguments);
    command
}

fn succeeded(arguments: &[&str], output: Output) -> Vec<u8> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    output.stdout
}

/// Runs a command that fails; its message.
pub fn failure(command: Command) -> String {
    let output = finish(command, b"");
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.starts_with("millstream: "), "{message}");
    message
}

/// Runs a command to its end.
pub fn finish(mut command: Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    let pid = child.id().to_string();
    thread::spawn(move || stdin.write_all(&input));
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    match receiver.recv_timeout(PATIENCE) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            Command::new("kill").arg(pid).status().unwrap();
            panic!("{command:?} does not end");
        }
    }
}

pub fn wait(child: &mut Child) {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < PATIENCE, "a process does not end");
        thread::sleep(Duration::from_millis(5));
    }
}

/// All files below a directory with their content.
pub fn content(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(content(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}
