//! `produce` and `consume`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use millstream::client::murmur2;
use serde_json::Value;

use crate::broker::{Broker, wait};

/// Lines of all lengths and all bytes but the line end.
fn lines(count: usize) -> Vec<u8> {
    let mut input = Vec::new();
    for line in 0..count {
        input.extend((0..line % 97).map(|at| match (line * 31 + at * 7) % 256 {
            10 => b' ',
            byte => byte as u8,
        }));
        input.push(b'\n');
    }
    input
}

fn json(bytes: &[u8]) -> Vec<Value> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

#[test]
fn what_is_produced_is_consumed_byte_for_byte() {
    let broker = Broker::start();
    let input = lines(20_000);
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let arguments = [codec, "--compression", codec, "--batch-bytes", "30000"];
        let bytes = input.len() - 20_000;
        let summary = broker.produce(&arguments, &input);
        assert_eq!(summary, format!("produced 20000 records, {bytes} bytes"));
        assert!(broker.run(&["consume", codec]) == input, "{codec}");
    }
    broker.produce(&["acks-1", "--acks", "1"], &input);
    assert!(broker.run(&["consume", "acks-1"]) == input);
    broker.produce(&["acks-0", "--acks", "0"], &input);
    // Nobody waited for the broker: it may still be reading.
    let mut consumed = broker.run(&["consume", "acks-0"]);
    for _ in 0..100 {
        if consumed.len() < input.len() {
            thread::sleep(Duration::from_millis(100));
            consumed = broker.run(&["consume", "acks-0"]);
        }
    }
    assert!(consumed == input);
    let file = broker.scratch.0.join("input");
    std::fs::write(&file, &input).unwrap();
    broker.produce(&["file", "--file", file.to_str().unwrap()], b"");
    assert!(broker.run(&["consume", "file"]) == input);
    let message = broker.refuse(&["produce", "file", "--file", "no such file"]);
    assert!(message.contains("no such file: No such file or directory"), "{message}");
}

#[test]
fn keys_choose_the_partition_that_kafka_chooses() {
    let broker = Broker::start();
    broker.run(&["topics", "create", "keyed", "--partitions", "7"]);
    let input: String = (0..500).map(|number| format!("key{number}=>value{number}\n")).collect();
    broker.produce(&["keyed", "--key-separator", "=>", "--header", "a=b=c"], input.as_bytes());
    let records = json(&broker.run(&["consume", "keyed", "--format", "json"]));
    assert_eq!(records.len(), 500);
    for record in &records {
        let key = record["key"].as_str().unwrap();
        assert_eq!(record["value"], key.replace("key", "value"));
        let partition = (murmur2(key.as_bytes()) & 0x7fff_ffff) % 7;
        assert_eq!(record["partition"], partition);
        assert_eq!(record["headers"], serde_json::json!([{"key": "a", "value": "b=c"}]));
    }
    let one = ["consume", "keyed", "--partition", "3", "--format", "json"];
    assert!(json(&broker.run(&one)).iter().all(|record| record["partition"] == 3));
    broker.produce(&["keyed", "--partition", "6"], b"x\n");
    let last = ["consume", "keyed", "--partition", "6", "--format", "%k[%v]%%"];
    assert!(broker.run(&last).ends_with(b"[x]%"));
    let message = broker.refuse(&["produce", "keyed", "--partition", "7"]);
    assert!(message.contains("keyed has no partition 7, only 0 to 6"), "{message}");
    let message = broker.refuse(&["consume", "keyed", "--partition", "7"]);
    assert!(message.contains("keyed has no partition 7, only 0 to 6"), "{message}");
}

#[test]
fn a_record_without_the_key_that_was_asked_for_is_an_error() {
    let broker = Broker::start();
    let command = broker.command(&["produce", "keyed", "--key-separator", ":"]);
    let output = crate::broker::finish(command, b"a:1\nb:2\nc\n");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(message.contains("record 3 of the input has no key separator"), "{message}");
}

#[test]
fn reading_begins_and_ends_where_told() {
    let broker = Broker::start();
    broker.produce(&["t"], b"0\n1\n2\n");
    // Records of one millisecond could not be told apart.
    thread::sleep(Duration::from_millis(5));
    broker.produce(&["t"], b"3\n4\n");
    let consume = |options: &[&str]| {
        String::from_utf8(broker.run(&[&["consume", "t"], options].concat())).unwrap()
    };
    assert_eq!(consume(&[]), "0\n1\n2\n3\n4\n");
    assert_eq!(consume(&["--from", "2"]), "2\n3\n4\n");
    assert_eq!(consume(&["--from", "beginning", "--max", "2"]), "0\n1\n");
    assert_eq!(consume(&["--max", "0"]), "");
    assert_eq!(consume(&["--from", "5"]), "");
    assert_eq!(consume(&["--from", "end"]), "");
    let stamps = consume(&["--format", "%t %T\n"]);
    let (millis, time) = stamps.lines().nth(3).unwrap().split_once(' ').unwrap();
    assert_eq!(consume(&["--from", &format!("@{millis}")]), "3\n4\n");
    assert_eq!(consume(&["--from", time]), "3\n4\n");
    assert_eq!(consume(&["--from", "2099-01-01T00:00:00Z"]), "");
    assert_eq!(consume(&["--from", "1999-01-01T00:00:00Z", "--max", "1"]), "0\n");
    assert_eq!(consume(&["--format", "raw"]), "01234");
    assert_eq!(consume(&["--separator", "\\t|"]), "0\t|1\t|2\t|3\t|4\t|");
    assert_eq!(consume(&["--format", "key-value", "--max", "1"]), "\t0\n");
}

#[test]
fn values_that_are_no_text_are_marked() {
    let broker = Broker::start();
    broker.produce(&["t"], b"\xff\xfe\nplain\n");
    let records = json(&broker.run(&["consume", "t", "--format", "json"]));
    assert_eq!(records[0]["value_base64"], "//4=");
    assert!(records[0].get("value").is_none());
    assert_eq!(records[1]["value"], "plain");
    assert!(records[1]["key"].is_null());
}

#[test]
fn following_sees_what_is_produced_later() {
    let broker = Broker::start();
    broker.produce(&["t"], b"early\n");
    let mut command = broker.command(&["consume", "t", "--follow", "--max", "3"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    output.read_line(&mut text).unwrap();
    assert_eq!(text, "early\n");
    broker.produce(&["t"], b"later\nlast\nnever\n");
    output.read_to_string(&mut text).unwrap();
    assert_eq!(text, "early\nlater\nlast\n");
    wait(&mut child);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let broker = Broker::start();
    broker.produce(&["t"], &lines(20_000));
    let mut command = broker.command(&["consume", "t"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut some = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

/// The README's example with a package index of three packages, typed into a shell.
#[test]
fn the_package_index_is_produced_by_one_line() {
    let broker = Broker::start();
    let stanzas = "Package: 0ad\nVersion: 1\nDescription: a game\n of war\n\n\
                   Package: zsh\nVersion: 2\n\nPackage: apt\nVersion: 3\n\n";
    let index = broker.scratch.0.join("index");
    std::fs::write(&index, stanzas).unwrap();
    let line = format!(
        "cat {} | millstream produce packages --separator '\\n\\n' --key-prefix 'Package: ' \
         --bootstrap {}",
        index.display(),
        broker.address()
    );
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_millstream")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &line]).env("PATH", path);
    let output = crate::broker::finish(command, b"");
    let summary = String::from_utf8(output.stderr).unwrap();
    assert!(summary.starts_with("produced 3 records, "), "{summary}");
    let keys = broker.run(&["consume", "packages", "--format", "%k\n"]);
    assert_eq!(String::from_utf8(keys).unwrap(), "0ad\nzsh\napt\n");
    let whole = broker.run(&["consume", "packages", "--separator", "\\n\\n"]);
    assert_eq!(String::from_utf8(whole).unwrap(), stanzas);
}

/// The producer goes on when the broker is back; what it had sent is there once.
#[test]
fn a_killed_broker_costs_no_record_and_doubles_none() {
    const RECORDS: usize = 60_000;
    let mut broker = Broker::start();
    broker.run(&["topics", "create", "t"]);
    let mut command = broker.command(&["produce", "t", "--batch-bytes", "20000"]);
    let command = command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let expected: String = (0..RECORDS).map(|number| format!("record number {number}\n")).collect();
    let input = expected.clone();
    let feeding = thread::spawn(move || {
        // Slowly enough that batches are sent before, while and after the broker is down.
        for part in input.as_bytes().chunks(input.len() / 40) {
            stdin.write_all(part).unwrap();
            thread::sleep(Duration::from_millis(20));
        }
    });
    for _ in 0..3 {
        thread::sleep(Duration::from_millis(100));
        broker.kill();
        thread::sleep(Duration::from_millis(100));
        broker.restart();
    }
    feeding.join().unwrap();
    let output = child.wait_with_output().unwrap();
    let summary = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{summary}");
    assert!(summary.starts_with(&format!("produced {RECORDS} records")), "{summary}");
    let consumed = String::from_utf8(broker.run(&["consume", "t"])).unwrap();
    assert_eq!(consumed.lines().count(), RECORDS);
    assert!(consumed == expected);
}
