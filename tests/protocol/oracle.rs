//! Runs the Java program around Kafka's message classes and reads what it writes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use millstream::protocol::MessageInfo;
use millstream::protocol::messages::MESSAGES;

/// The release whose behaviour is the target, and the newest one.
pub const VERSIONS: [&str; 2] = ["4.3.1", "4.4.0"];
pub const NEWEST: &str = "4.4.0";

/// Frames of each message in each version. The first is as empty, the second as full as possible.
const SAMPLES: usize = 12;
const SEED: u64 = 20_260_701;

/// Runs a command of the oracle and returns what it prints.
pub fn run(version: &str, arguments: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(root.join("tests/protocol/oracle/run"))
        .arg(version)
        .args(arguments)
        .output()
        .expect("bash starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "oracle {version} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("the oracle prints text")
}

/// A file for this test run.
pub fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A frame that Kafka has encoded.
pub struct Frame {
    pub message: &'static MessageInfo,
    pub version: i16,
    pub bytes: Vec<u8>,
    /// The same message in each version, in Kafka's encoding.
    pub others: Vec<(i16, Other)>,
}

pub enum Other {
    Bytes(Vec<u8>),
    /// Kafka refuses: a field that is set does not exist in that version.
    RefusesField,
    /// Kafka refuses: a field that is null cannot be null in that version.
    RefusesNull,
}

/// What one release knows.
pub struct Known {
    /// The versions of each message, for those that exist there.
    pub versions: Vec<(&'static MessageInfo, Vec<i16>)>,
    pub frames: Vec<Frame>,
}

/// Random frames, made once per test run.
pub fn known(version: &str) -> &'static Known {
    static KNOWN: [OnceLock<Known>; 2] = [const { OnceLock::new() }; 2];
    let index = VERSIONS.iter().position(|known| *known == version).expect("a known release");
    KNOWN[index].get_or_init(|| make(version))
}

fn make(version: &str) -> Known {
    let names = scratch(&format!("names-{version}"));
    let list: Vec<&str> = MESSAGES.iter().map(|message| message.name).collect();
    std::fs::write(&names, list.join("\n")).unwrap();
    let out = scratch(&format!("frames-{version}"));
    let (seed, samples) = (SEED.to_string(), SAMPLES.to_string());
    run(version, &["make", &seed, &samples, names.to_str().unwrap(), out.to_str().unwrap()]);
    read(&std::fs::read(&out).unwrap())
}

fn read(mut bytes: &[u8]) -> Known {
    let mut known = Known { versions: Vec::new(), frames: Vec::new() };
    while let Some(kind) = bytes.split_off_first() {
        let name_length = u16::from_be_bytes(take(&mut bytes));
        let name = str::from_utf8(bytes.split_off(..usize::from(name_length)).unwrap()).unwrap();
        let message = MESSAGES.iter().find(|message| message.name == name).unwrap();
        let version = i16::from_be_bytes(take(&mut bytes));
        let length = i32::from_be_bytes(take(&mut bytes));
        let content = usize::try_from(length).unwrap_or(0);
        let content = bytes.split_off(..content).unwrap().to_vec();
        match (kind, length) {
            (b'V', _) => match known.versions.last_mut() {
                Some((last, versions)) if last.name == name => versions.push(version),
                _ => known.versions.push((message, vec![version])),
            },
            (b'F', _) => {
                known.frames.push(Frame { message, version, bytes: content, others: Vec::new() });
            }
            (b'T', length) => {
                let other = match length {
                    -1 => Other::RefusesField,
                    -2 => Other::RefusesNull,
                    _ => Other::Bytes(content),
                };
                known.frames.last_mut().unwrap().others.push((version, other));
            }
            _ => panic!("unknown entry {kind}"),
        }
    }
    known
}

fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (taken, rest) = bytes.split_first_chunk().unwrap();
    *bytes = rest;
    *taken
}

/// Has Kafka decode and encode frames; returns how many it looked at.
pub fn check(version: &str, frames: &[(&MessageInfo, i16, Vec<u8>)]) -> usize {
    let mut file = Vec::new();
    for (message, version, bytes) in frames {
        file.push(b'F');
        file.extend((message.name.len() as u16).to_be_bytes());
        file.extend(message.name.bytes());
        file.extend(version.to_be_bytes());
        file.extend((bytes.len() as i32).to_be_bytes());
        file.extend(bytes);
    }
    let path = scratch(&format!("ours-{version}"));
    std::fs::write(&path, file).unwrap();
    let report = run(version, &["check", path.to_str().unwrap()]);
    let last = report.lines().last().unwrap_or_default();
    let count = last.strip_prefix("checked ").and_then(|last| last.strip_suffix(" different 0"));
    count.unwrap_or_else(|| panic!("Kafka {version} differs:\n{report}")).parse().unwrap()
}
