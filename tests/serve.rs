//! `millstream serve` as people meet it: what it needs, what it says, what it refuses and why.
#![allow(clippy::unwrap_used, unreachable_pub)]

#[path = "serve/administration.rs"]
mod administration;
#[path = "serve/cluster.rs"]
mod cluster;
#[path = "serve/groups.rs"]
mod groups;
#[path = "serve/process.rs"]
mod process;
#[path = "serve/watched.rs"]
mod watched;
#[path = "serve/wire.rs"]
mod wire;

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use process::{Folder, refused, serve, started};
use wire::{create_topic, metadata, setting};

const MARKER: &str = "millstream-data/clean-shutdown";
const META: &str = "millstream-data/meta.properties";

const BROKER: i8 = 4;
const TOPIC: i8 = 2;

#[test]
fn nothing_at_all_is_enough() {
    let folder = Folder::new("nothing");
    // The port is fixed: whoever has it already is named as the reason.
    match serve(&folder, &[]) {
        Ok(broker) => {
            assert!(broker.greeting.contains("listens on   127.0.0.1, port 9092"));
            assert!(!broker.greeting.contains("--bootstrap "), "{}", broker.greeting);
            assert_eq!(broker.stop_cleanly(), "");
            assert!(folder.has(MARKER));
        }
        Err(ended) => {
            assert_eq!(ended.code, Some(1), "{ended:?}");
            let words = "cannot listen on 127.0.0.1:9092: another process listens there";
            assert!(ended.errors.contains(words), "{ended:?}");
        }
    }
}

#[test]
fn it_says_where_it_is_what_a_write_means_and_what_to_try() {
    let folder = Folder::new("says");
    let broker = started(&folder, &[]);
    let address = broker.address();
    assert_ne!(address.port(), 0);
    let directory = fs::canonicalize(folder.path()).unwrap().join("millstream-data");
    for words in [
        &format!("listens on   127.0.0.1, port {}", address.port()),
        &format!("keeps data   in {}", directory.display()),
        "on disk before it is acknowledged",
        &format!("millstream produce greetings --bootstrap {address}"),
        &format!("millstream consume greetings --bootstrap {address}"),
        &format!("kafka-console-producer.sh --bootstrap-server {address} --topic greetings"),
        "node 1, on 1 core: started in ",
    ] {
        assert!(broker.greeting.contains(words), "{words}: {}", broker.greeting);
    }
    let seen = metadata(address);
    assert_eq!(seen.brokers, [(1, "127.0.0.1".to_owned(), i32::from(address.port()))]);
    assert_eq!(broker.stop_cleanly(), "", "nothing to warn of");
    let memory = started(&folder, &["--set", "ack.durability=memory"]);
    assert!(memory.greeting.contains("in memory when it is acknowledged"), "{}", memory.greeting);
}

#[test]
fn signals_stop_it_cleanly_and_the_next_start_knows() {
    let folder = Folder::new("signals");
    let broker = started(&folder, &[]);
    assert!(!folder.has(MARKER));
    let epoch = setting(broker.address(), BROKER, "1", "node.id");
    assert_eq!(epoch.0, "1");
    let ended = broker.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.output.ends_with("Stopped: everything is on disk.\n"), "{ended:?}");
    assert!(folder.has(MARKER));
    let broker = started(&folder, &[]);
    assert!(!folder.has(MARKER), "the marker goes before anything is written");
    assert_eq!(broker.stop(Signal::INT).code, Some(0));
    assert!(folder.has(MARKER));
    let killed = started(&folder, &[]).stop(Signal::KILL);
    assert_eq!(killed.code, None);
    assert!(!folder.has(MARKER));
    started(&folder, &[]).stop_cleanly();
}

#[test]
fn a_second_broker_is_refused() {
    let folder = Folder::new("second");
    let broker = started(&folder, &[]);
    let errors = refused(&folder, &[]);
    let pid = format!("is in use by another broker, process {}", broker.pid());
    assert!(errors.contains(&pid) && errors.contains("--data DIR"), "{errors}");
    let address = broker.address().to_string();
    let errors = refused(&folder, &["--data", "other", "--listen", &address]);
    let words = format!("cannot listen on {address}: another process listens there");
    assert!(errors.contains(&words) && errors.contains("--listen HOST:PORT"), "{errors}");
    assert_eq!(metadata(broker.address()).brokers.len(), 1);
    broker.stop_cleanly();
}

#[test]
fn the_file_that_kafka_ships_starts() {
    let folder = Folder::new("shipped");
    folder.write("server.properties", include_str!("config/server.properties"));
    let listeners = "listeners=PLAINTEXT://127.0.0.1:0";
    let advertised = "advertised.listeners=PLAINTEXT://localhost:0";
    let log_dirs = "log.dirs=kraft-combined-logs";
    let mut arguments = vec!["--config", "server.properties", "--cores", "1"];
    for set in [listeners, advertised, log_dirs] {
        arguments.extend(["--set", set]);
    }
    let broker = serve(&folder, &arguments).unwrap();
    let port = i32::from(broker.address().port());
    assert_eq!(metadata(broker.address()).brokers, [(1, "localhost".to_owned(), port)]);
    assert!(folder.has("kraft-combined-logs/meta.properties"));
    let (hours, source) = setting(broker.address(), BROKER, "1", "log.retention.hours");
    assert_eq!((hours.as_str(), source), ("168", 4));
    let errors = broker.stop_cleanly();
    for name in ["process.roles", "num.io.threads"] {
        let told = errors.matches(&format!(": {name}: accepted, no effect: ")).count();
        assert_eq!(told, 1, "{name}: {errors}");
    }
    assert!(errors.contains("server.properties:2: process.roles"), "{errors}");
    assert!(!errors.contains("log.retention.hours"), "{errors}");
}

#[test]
fn wrong_lines_of_the_file_are_named() {
    let folder = Folder::new("lines");
    let refused_with = |text: &str, arguments: &[&str]| {
        folder.write("broker.properties", text);
        let mut all = vec!["--config", "broker.properties"];
        all.extend(arguments);
        refused(&folder, &all)
    };
    let errors = refused_with("# ours\nnum.partitions=none\nack.durability=tape\n", &[]);
    let words = "broker.properties:2: num.partitions=none: expected a whole number from 1\n\
                 broker.properties:3: ack.durability=tape: expected disk or memory\n";
    assert!(errors.ends_with(words), "{errors}");
    let errors = refused_with("num.partitoins=3\n", &["--strict"]);
    let words =
        "broker.properties:1: num.partitoins: unknown setting; did you mean num.partitions?";
    assert!(errors.contains(words), "{errors}");
    let errors = refused_with("a=1\nb=\\u00zz\n", &[]);
    assert!(errors.contains("broker.properties:2: \\u without four"), "{errors}");
    let errors = refused_with("", &["--set", "num.partitions"]);
    assert!(errors.contains("--set num.partitions: expected name=value"), "{errors}");
    let errors = refused_with("", &["--set", "listeners=PLAINTEXT://:0,B://:1"]);
    assert!(errors.contains("B: expected a name from listener.security.protocol.map"), "{errors}");
    let two = "listeners=PLAINTEXT://127.0.0.1:0,SASL://127.0.0.1:0";
    let map = "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL:PLAINTEXT";
    let errors = refused_with("", &["--set", two, "--set", map]);
    assert!(errors.contains("one listener for clients is served yet"), "{errors}");
    let errors = refused(&folder, &["--config", "missing.properties"]);
    assert!(errors.contains("missing.properties: No such file"), "{errors}");
    for (flag, value) in [("--listen", "nowhere"), ("--data", "a,b"), ("--cores", "2000")] {
        let errors = refused(&folder, &[flag, value]);
        assert!(errors.contains(value) && errors.contains("expected"), "{errors}");
    }
    assert!(!folder.has("millstream-data"), "nothing is made by who does not start");

    folder.write("broker.properties", "num.partitoins=3\nnum.partitions=3\nnum.partitions=4\n");
    let errors = started(&folder, &["--config", "broker.properties"]).stop_cleanly();
    assert_eq!(
        errors,
        "broker.properties:1: num.partitoins: unknown setting; did you mean num.partitions?\n\
             broker.properties:2: num.partitions: given again on line 3, which counts\n"
    );
}

#[test]
fn the_command_line_wins_over_the_file() {
    let folder = Folder::new("wins");
    folder.write("broker.properties", "num.partitions=3\nbroker.rack=north\nnode.id=7\n");
    let file = ["--config", "broker.properties"];
    let broker = started(&folder, &file);
    assert_eq!(create_topic(broker.address(), "three", -1, &[]), Ok(3));
    broker.stop_cleanly();
    let broker = started(&folder, &[&file[..], &["--set", "num.partitions=5"]].concat());
    assert_eq!(create_topic(broker.address(), "five", -1, &[]), Ok(5));
    assert_eq!(metadata(broker.address()).brokers[0].0, 7);
    assert_eq!(setting(broker.address(), BROKER, "7", "broker.rack"), ("north".to_owned(), 4));
    broker.stop_cleanly();
}

#[test]
fn settings_of_topics_are_checked_and_described() {
    let folder = Folder::new("topics");
    let broker = started(&folder, &[]);
    let address = broker.address();
    let create = |name: &str, setting: (&str, &str)| create_topic(address, name, 1, &[setting]);
    let (code, message) = create("a", ("segment.bytes", "5")).unwrap_err();
    assert_eq!(code, 40);
    assert!(message.contains("segment.bytes=5: expected a whole number from 1048576"), "{message}");
    let (code, message) = create("a", ("retention.sm", "5")).unwrap_err();
    assert_eq!(code, 40);
    assert!(message.contains("did you mean retention.ms?"), "{message}");
    assert_eq!(create("a", ("ack.durability", "memory")), Ok(1));
    assert_eq!(setting(address, TOPIC, "a", "ack.durability"), ("memory".to_owned(), 1));
    assert_eq!(setting(address, TOPIC, "a", "retention.ms"), ("604800000".to_owned(), 5));
    broker.stop_cleanly();
}

#[test]
fn directories_that_are_not_its_own_are_refused() {
    let folder = Folder::new("foreign");
    started(&folder, &[]).stop_cleanly();
    let errors = refused(&folder, &["--set", "node.id=2"]);
    assert!(errors.contains("belongs to node.id 1, this broker has node.id 2"), "{errors}");
    let meta = folder.read(META);
    let own = meta.lines().find(|line| line.starts_with("cluster.id=")).unwrap();
    folder.write(META, &meta.replace(own, "cluster.id=AAAAAAAAAAAAAAAAAAAAAQ"));
    let errors = refused(&folder, &[]);
    assert!(errors.contains("AAAAAAAAAAAAAAAAAAAAAQ, but the data are of the cluster"), "{errors}");
    folder.write(META, "nonsense");
    assert!(refused(&folder, &[]).contains("no valid cluster.id"));
    fs::remove_file(folder.path().join(META)).unwrap();
    assert!(refused(&folder, &[]).contains("put the file back"));
    folder.write(META, &meta);
    started(&folder, &[]).stop_cleanly();

    folder.write("kafka/orders-0/00000000000000000000.log", "bytes");
    folder.write("kafka/meta.properties", &meta);
    let errors = refused(&folder, &["--data", "kafka"]);
    assert!(errors.contains("orders-0") && errors.contains("Apache Kafka"), "{errors}");
    assert_eq!(folder.read("kafka/orders-0/00000000000000000000.log"), "bytes");
}

#[test]
fn directories_that_cannot_be_written_are_refused() {
    let folder = Folder::new("unwritable");
    folder.write("occupied", "a file");
    // Nobody may make directories there, not even root.
    for data in ["occupied", "occupied/below", "/proc/millstream-data"] {
        let errors = refused(&folder, &["--data", data]);
        let words = format!("the data directory {data} cannot be used: ");
        assert!(errors.contains(&words) && errors.contains("--data DIR"), "{errors}");
    }
    assert_eq!(folder.read("occupied"), "a file");
}

#[test]
fn foreign_files_beside_the_data_are_left_alone() {
    let folder = Folder::new("beside");
    folder.write("millstream-data/notes.txt", "mine");
    folder.write("millstream-data/lost+found/piece", "found");
    for _ in 0..2 {
        started(&folder, &[]).stop_cleanly();
    }
    assert_eq!(folder.read("millstream-data/notes.txt"), "mine");
    assert_eq!(folder.read("millstream-data/lost+found/piece"), "found");
}

#[test]
fn any_number_of_cores_opens_the_same_directory() {
    let folder = Folder::new("cores");
    let mut before = None;
    for cores in ["1", "2", "4", "1"] {
        let broker = started(&folder, &["--cores", cores]);
        let mut seen = metadata(broker.address());
        seen.brokers.clear();
        if let Some(before) = &before {
            assert_eq!(&seen, before, "with {cores} cores");
        }
        let topics = seen.topics.len();
        let name = format!("topic-{topics}");
        assert_eq!(create_topic(broker.address(), &name, 6, &[]), Ok(6));
        let mut seen = metadata(broker.address());
        seen.brokers.clear();
        assert_eq!(seen.topics.len(), topics + 1);
        before = Some(seen);
        broker.stop_cleanly();
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let output = Command::new(env!("CARGO_BIN_EXE_millstream")).arg("--version").output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, format!("millstream {}\n", env!("CARGO_PKG_VERSION")));
}
