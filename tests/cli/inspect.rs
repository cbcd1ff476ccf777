//! `inspect`: on a living directory, a stopped one, a killed one, and damaged ones.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::broker::{Broker, content, failure, finish, millstream};

fn inspect(data: &Path, options: &[&str]) -> (Value, String) {
    let arguments = [&["inspect", data.to_str().unwrap(), "--json"], options].concat();
    let output = finish(millstream(&arguments), b"");
    let warnings = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{warnings}");
    (serde_json::from_slice(&output.stdout).unwrap(), warnings)
}

#[test]
fn a_living_a_stopped_and_a_killed_directory_are_read_and_left_alone() {
    let mut broker = Broker::start();
    let data = broker.data();
    broker.produce(&["t", "--key-separator", ":"], b"a:1\nb:2\nc:3\n");
    let (_, warnings) = inspect(&data, &[]);
    assert!(warnings.contains("a broker runs on"), "{warnings}");
    broker.kill();

    let before = content(&data);
    let (report, warnings) = inspect(&data, &[]);
    assert_eq!(warnings, "");
    assert_eq!(report["identity"]["clean_shutdown"], false);
    assert_eq!(report["write_ahead_logs"][0]["appends"], 1);
    let recovery = &report["partitions"][0]["recovery"];
    assert_eq!(report["partitions"][0]["partition"], "t-0");
    assert_eq!(recovery["end_offset"], 3);
    assert!(recovery["fault"].is_null());
    assert!(content(&data) == before);

    broker.restart();
    broker.stop();
    let before = content(&data);
    let (report, warnings) = inspect(&data, &["--records", "--topic", "t", "--partition", "0"]);
    assert_eq!(warnings, "");
    assert_eq!(report["identity"]["clean_shutdown"], true);
    let partition = &report["partitions"][0];
    assert_eq!(partition["segments"][0]["records"], 3);
    assert_eq!(partition["segments"][0]["end_offset"], 3);
    assert!(partition["segments"][0]["fault"].is_null());
    assert_eq!(partition["recovery"]["end_offset"], 3);
    assert_eq!(partition["records"][1]["key"], "b");
    assert_eq!(partition["records"][1]["value"], "2");
    assert!(content(&data) == before);
    let mut command = millstream(&["inspect"]);
    command.arg(&data);
    let outline = String::from_utf8(finish(command, b"").stdout).unwrap();
    assert!(outline.contains("t-0"), "{outline}");
}

#[test]
fn damage_is_named() {
    let mut broker = Broker::start();
    let data = broker.data();
    broker.produce(&["t"], b"one\ntwo\n");
    broker.stop();
    let segment = data.join("t-0/00000000000000000000.log");
    let whole = fs::read(&segment).unwrap();
    let mut damaged = whole.clone();
    damaged[70] ^= 1;
    fs::write(&segment, &damaged).unwrap();
    let (report, _) = inspect(&data, &[]);
    let fault = &report["partitions"][0]["segments"][0]["fault"];
    assert_eq!(fault, "wrong checksum at byte 0");
    fs::write(&segment, &whole[..20]).unwrap();
    let (report, _) = inspect(&data, &[]);
    let fault = report["partitions"][0]["recovery"]["fault"].as_str().unwrap();
    assert!(fault.contains("has 20 bytes"), "{fault}");
}

/// Any byte of any small file may be anything: a message, never a panic.
#[test]
fn no_damage_makes_it_panic() {
    let mut broker = Broker::start();
    let data = broker.data();
    broker.produce(&["t"], b"one\ntwo\n");
    broker.kill();
    for (path, bytes) in content(&data) {
        let len = bytes.len();
        // The places where headers and the first entries are, and around the end.
        for at in [0, 5, 17, 40, 100, 4096, 4100, 4200, 4300, len.saturating_sub(1)] {
            let Some(byte) = bytes.get(at) else { continue };
            let mut damaged = bytes.clone();
            damaged[at] = !byte;
            fs::write(&path, &damaged).unwrap();
            let output = finish(millstream(&["inspect", data.to_str().unwrap()]), b"");
            let place = format!("{} byte {at}", path.display());
            assert!(matches!(output.status.code(), Some(0 | 1)), "{place}: {output:?}");
        }
        fs::write(&path, &bytes[..len / 2]).unwrap();
        let output = finish(millstream(&["inspect", data.to_str().unwrap()]), b"");
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", path.display());
        fs::write(&path, &bytes).unwrap();
    }
}

#[test]
fn what_is_no_data_directory_is_refused() {
    let broker = Broker::start();
    let root = broker.scratch.0.to_str().unwrap();
    let message = failure(millstream(&["inspect", root]));
    assert!(message.contains("it is not the data directory of a broker"), "{message}");
    let message = failure(millstream(&["inspect", &format!("{root}/nothing")]));
    assert!(message.contains("no such file or directory"), "{message}");
    let data = broker.data();
    let message = failure(millstream(&["inspect", data.to_str().unwrap(), "--topic", "x"]));
    assert!(message.contains("has no such topic or partition"), "{message}");
}
