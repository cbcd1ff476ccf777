//! `topics`, and what the commands say when something is wrong.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::broker::{Broker, failure, millstream};

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_topic_is_created_listed_described_and_deleted() {
    let broker = Broker::start();
    let create = ["topics", "create", "visits", "--partitions", "3", "--replication-factor", "1"];
    assert_eq!(text(broker.run(&create)), "created topic visits\n");
    assert_eq!(text(broker.run(&["topics", "create", "b"])), "created topic b\n");
    let listed = text(broker.run(&["topics", "list"]));
    assert_eq!(
        listed,
        "TOPIC   PARTITIONS  REPLICAS\nb                1         1\nvisits           3         1\n"
    );
    broker.produce(&["visits", "--partition", "1"], b"one\ntwo\n");
    let described = text(broker.run(&["topics", "describe", "visits"]));
    assert!(described.starts_with("topic         visits\n"), "{described}");
    assert!(described.contains("\n        1       1         1        1      0    2        2\n"));
    let described = broker.run(&["topics", "describe", "visits", "--json"]);
    let described: Value = serde_json::from_slice(&described).unwrap();
    assert_eq!(described["name"], "visits");
    assert_eq!(described["partitions"][1]["end_offset"], 2);
    assert_eq!(described["partitions"][2]["replicas"], json!([1]));
    assert_eq!(text(broker.run(&["topics", "delete", "visits"])), "deleted topic visits\n");
    let listed = broker.run(&["topics", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["name"], "b");
}

#[test]
fn errors_say_what_to_do() {
    let broker = Broker::start();
    broker.run(&["topics", "create", "t"]);
    for (arguments, expected) in [
        (&["topics", "create", "t"][..], "`millstream topics describe t`"),
        (&["topics", "create", "a b"], "INVALID_TOPIC_EXCEPTION"),
        (&["topics", "create", "u", "-r", "3"], "at most the number of brokers"),
        (&["topics", "describe", "nope"], "`millstream topics list`"),
        (&["topics", "delete", "nope"], "`millstream topics list`"),
        (&["consume", "nope"], "create it with `millstream topics create nope`"),
    ] {
        let message = broker.refuse(arguments);
        assert!(message.contains(expected), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn a_broker_that_is_not_there_is_named() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    for arguments in [&["topics", "list"][..], &["produce", "t"], &["consume", "t"]] {
        let mut command = millstream(arguments);
        command.args(["--bootstrap", &address]);
        let message = failure(command);
        assert!(message.contains(&format!("nothing listens on {address}")), "{message}");
        assert!(message.contains("millstream serve"), "{message}");
    }
    let message = failure(millstream(&["topics", "list", "--bootstrap", "localhost"]));
    assert!(message.contains("write HOST:PORT"), "{message}");
}

#[test]
fn something_else_that_listens_is_no_broker() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        std::io::Write::write_all(&mut stream, greeting).unwrap();
    });
    let mut command = millstream(&["topics", "list"]);
    command.args(["--bootstrap", &address]);
    let message = failure(command);
    assert!(message.contains(&address), "{message}");
    server.join().unwrap();
}
