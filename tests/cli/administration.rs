//! `configs`, `quotas`, `log-dirs`, `groups`, `offsets` and `completions`.

use serde_json::Value;

use crate::broker::{Broker, finish, millstream};

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn settings_are_described() {
    let broker = Broker::start();
    broker.run(&["topics", "create", "t", "--set", "retention.ms=3600000"]);
    let own = text(broker.run(&["configs", "describe", "--topic", "t"]));
    let mut lines = own.lines();
    assert!(lines.next().unwrap().starts_with("SETTING"), "{own}");
    assert!(lines.next().unwrap().starts_with("retention.ms  3600000"), "{own}");
    assert_eq!(lines.next(), None, "{own}");
    let all = json(&broker.run(&["configs", "describe", "--topic", "t", "--all", "--json"]));
    let row = all.as_array().unwrap().iter().find(|row| row["setting"] == "segment.bytes");
    assert_eq!(row.unwrap()["source"], "default");
    let all = json(&broker.run(&["configs", "describe", "--broker", "1", "--all", "--json"]));
    let row = all.as_array().unwrap().iter().find(|row| row["setting"] == "log.dirs");
    assert_eq!(row.unwrap()["source"], "file");
    let message = broker.refuse(&["configs", "describe", "--broker", "9"]);
    assert!(message.contains("there is no broker 9: the cluster has 1"), "{message}");
    let message = broker.refuse(&["configs", "describe", "--topic", "nope"]);
    assert!(message.contains("`millstream topics list`"), "{message}");
}

#[test]
fn offsets_are_listed_by_place_and_time() {
    let broker = Broker::start();
    broker.run(&["topics", "create", "t", "--partitions", "2"]);
    broker.produce(&["t", "--partition", "1"], b"one\ntwo\nthree\n");
    let listed = json(&broker.run(&["offsets", "list", "t", "--json"]));
    let ends: Vec<i64> =
        listed.as_array().unwrap().iter().map(|row| row["end"].as_i64().unwrap()).collect();
    assert_eq!(ends, [0, 3]);
    let listed = text(broker.run(&["offsets", "list", "t"]));
    assert_eq!(listed.lines().nth(2), Some("t              1      0    3        3"), "{listed}");
    let at = json(&broker.run(&["offsets", "list", "t", "--at", "1970-01-02", "--json"]));
    assert_eq!((&at[1]["partition"], &at[1]["offset"]), (&1.into(), &0.into()));
    let message = broker.refuse(&["offsets", "list", "nope"]);
    assert!(message.contains("`millstream topics list`"), "{message}");
}

#[test]
fn what_is_asked_for_too_vaguely_is_said_so() {
    let broker = Broker::start();
    let refused = |arguments: &[&str], words: &str| {
        let message = broker.refuse(arguments);
        assert!(message.contains(words), "{arguments:?}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    };
    refused(&["quotas", "set", "producer_byte_rate=1"], "--client-id ID");
    let wrong = |arguments: &[&str], words: &str| {
        let output = finish(millstream(arguments), b"");
        let message = text(output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(words), "{arguments:?}: {message}");
    };
    wrong(&["quotas", "set", "--ip", "1.1.1.1", "rate"], "write QUOTA=NUMBER");
    wrong(&["groups", "reset-offsets", "g", "--all-topics"], "--to <PLACE>");
    wrong(&["groups", "reset-offsets", "g", "--all-topics", "--back", "2"], "write 90s, 15m");
    wrong(&["configs", "describe"], "--topic <NAME>");
}

#[test]
fn shells_complete_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let output = finish(millstream(&["completions", shell]), b"");
        let script = text(output.stdout);
        assert!(output.status.success());
        for word in ["reset-offsets", "log-dirs", "bootstrap"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn quotas_outlive_a_restart_and_are_taken_away() {
    let mut broker = Broker::start();
    broker.run(&["topics", "create", "t", "--partitions", "1"]);
    broker.run(&["quotas", "set", "--client-id", "millstream", "producer_byte_rate=20000"]);
    let listed = json(&broker.run(&["quotas", "list", "--json"]));
    assert_eq!(listed[0]["entity"]["client-id"], "millstream");
    broker.stop();
    broker.restart();
    let value = "x".repeat(1000) + "\n";
    broker.produce(&["t"], value.repeat(150).as_bytes());
    broker.produce(&["t"], value.repeat(150).as_bytes());
    broker.run(&["quotas", "delete", "--client-id", "millstream", "producer_byte_rate"]);
    let listed = json(&broker.run(&["quotas", "list", "--json"]));
    assert_eq!(listed, serde_json::json!([]));
}
