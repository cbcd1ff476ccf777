//! How a broker starts: files that Kafka ships, the command line, and what people are told.

use core::time::Duration;

use millstream::config::{
    BrokerSettings, Durability, Endpoint, Properties, SecurityProtocol, Sources, Validation,
};
use millstream::types::NodeId;

use crate::facts::{MACHINE, given, map, start};

fn errors(text: &str) -> String {
    start(text).unwrap_err().to_string()
}

fn notices(text: &str) -> Vec<String> {
    start(text).unwrap().notices.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_at_all_is_enough() {
    let settings = given(&[]).unwrap();
    assert_eq!(settings.node_id, NodeId::new(1));
    assert_eq!(settings.log_directories, ["millstream-data"]);
    assert_eq!(settings.listeners.len(), 1);
    assert_eq!(settings.listeners[0].endpoint.port, 9092);
    assert!(settings.listeners[0].endpoint.is_wildcard());
    assert_eq!(settings.topic_defaults.durability, Durability::Disk);
    assert_eq!(settings.storage.validation, Validation::Header);
    assert_eq!(settings.storage.memory_bytes, 2 << 30);
    assert_eq!(settings.storage.checkpoint_interval, Duration::from_secs(5));
    assert_eq!(settings.offsets.replication_factor, None);
    assert_eq!(settings.network.idle_max, Some(Duration::from_secs(600)));
    assert_eq!(settings.cores, 0);
}

#[test]
fn the_file_that_kafka_ships_is_accepted() {
    let resolved = start(include_str!("server.properties")).unwrap();
    let settings = &resolved.settings;
    assert_eq!(settings.node_id, NodeId::new(1));
    assert_eq!(settings.log_directories, ["/tmp/kraft-combined-logs"]);
    assert_eq!(settings.offsets.replication_factor, Some(1));
    let [listener] = &settings.listeners[..] else { panic!("{:?}", settings.listeners) };
    assert_eq!(listener.endpoint.name, "PLAINTEXT");
    assert_eq!(listener.protocol, SecurityProtocol::Plaintext);
    let advertised =
        Endpoint { name: "PLAINTEXT".to_owned(), host: "localhost".to_owned(), port: 9092 };
    assert_eq!(listener.advertised, Some(advertised));
    let notices: Vec<String> = resolved.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        notices[..3],
        [
            "server.properties:2: process.roles: accepted, no effect: \
             a node is broker and controller at once",
            "server.properties:4: controller.quorum.bootstrap.servers: accepted, no effect: \
             there is no quorum of controllers yet",
            "server.properties:6: listener CONTROLLER://:9093: accepted, no effect: \
             clients are not served there, and controllers need no address yet",
        ]
    );
    assert!(notices.iter().all(|notice| notice.contains("accepted, no effect")), "{notices:?}");
}

#[test]
fn files_for_older_kafkas_are_accepted() {
    let text = "broker.id=7\nzookeeper.connect=localhost:2181\nzookeeper.connection.timeout.ms=1\n\
                inter.broker.protocol.version=3.0\nlog.dirs=/a, /b\nport=9092\n";
    let resolved = start(text).unwrap();
    assert_eq!(resolved.settings.node_id, NodeId::new(7));
    assert_eq!(resolved.settings.log_directories, ["/a", "/b"]);
    assert_eq!(resolved.notices.len(), 4);
    assert_eq!(
        resolved.notices[0].to_string(),
        "server.properties:2: zookeeper.connect: accepted, no effect: \
         there is no ZooKeeper; Kafka 4 dropped the setting"
    );
}

#[test]
fn wrong_values_are_named_all_at_once() {
    assert_eq!(
        errors("num.partitions=abc\n\nauto.create.topics.enable=yes\ncompression.type=LZ4\n"),
        "server.properties:1: num.partitions=abc: expected a whole number from 1\n\
         server.properties:3: auto.create.topics.enable=yes: expected true or false\n\
         server.properties:4: compression.type=LZ4: \
         expected one of uncompressed, zstd, lz4, snappy, gzip, producer"
    );
    let secret = errors("ssl.keystore.password=geheim\nnum.partitions=0");
    assert_eq!(
        secret,
        "server.properties:2: num.partitions=0: expected a whole number from 1 to 2147483647"
    );
}

#[test]
fn contradictions_are_named_with_both_sides() {
    for (text, expected) in [
        (
            "process.roles=controller",
            "1: process.roles=controller: \
             expected broker among the roles: no node is a controller alone",
        ),
        ("node.id=1\nbroker.id=2", "2: broker.id=2: expected the same as node.id, which is 1"),
        (
            "log.retention.hours=0",
            "1: log.retention.hours=0: expected a whole number from 1, or -1 for ever",
        ),
        ("wal.commit.bytes.max=5000", "1: wal.commit.bytes.max=5000: expected a multiple of 4096"),
        (
            "wal.file.bytes=104857600",
            "1: wal.file.bytes=104857600: \
             expected more than socket.request.max.bytes, which is 104857600",
        ),
        (
            "wal.bytes.max=134217728",
            "1: wal.bytes.max=134217728: \
             expected at least twice wal.file.bytes, which is 134217728",
        ),
        (
            "log.cleaner.min.compaction.lag.ms=10\nlog.cleaner.max.compaction.lag.ms=5",
            "1: log.cleaner.min.compaction.lag.ms=10: \
             expected at most max.compaction.lag.ms, which is 5",
        ),
        (
            "max.connections.per.ip=0",
            "1: max.connections.per.ip=0: expected a number from 1 \
             while max.connections.per.ip.overrides is not set",
        ),
        (
            "max.connections.per.ip.overrides=a:1,b",
            "1: max.connections.per.ip.overrides=a:1,b: b: expected address:number",
        ),
        (
            "group.consumer.session.timeout.ms=5000",
            "1: group.consumer.session.timeout.ms=5000: \
             expected at least group.consumer.min.session.timeout.ms, which is 45000",
        ),
        (
            "group.min.session.timeout.ms=10\ngroup.max.session.timeout.ms=5",
            "1: group.min.session.timeout.ms=10: \
             expected at most group.max.session.timeout.ms, which is 5",
        ),
        (
            "default.replication.factor=0",
            "1: default.replication.factor=0: expected a whole number from 1",
        ),
        (
            "offset.metadata.max.bytes=-4",
            "1: offset.metadata.max.bytes=-4: expected a whole number from 0",
        ),
    ] {
        assert_eq!(errors(text), format!("server.properties:{expected}"));
    }
}

#[test]
fn listeners_that_cannot_be_are_explained() {
    let map = "listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT,C:SSL\n";
    for (listeners, expected) in [
        ("C://:9093", "C speaks SSL: only PLAINTEXT is served yet"),
        ("D://:9093", "D: expected a name from listener.security.protocol.map"),
        ("A:9092", "A:9092: expected name://host:port"),
        ("A://:70000", "A://:70000: expected name://host:port"),
        ("A://:1,B://:1", "A and B have port 1: expected different ones"),
        ("A://:1,A://:2", "A comes twice: expected different names"),
        ("CONTROLLER://:1", "expected a listener that clients are told of"),
    ] {
        let text = format!("{map}listeners={listeners}");
        assert_eq!(
            errors(&text),
            format!("server.properties:2: listeners={listeners}: {expected}")
        );
    }
    for (advertised, expected) in [
        ("B://h:1", "B: expected names from listeners: A"),
        ("A://0.0.0.0:1", "0.0.0.0: expected an address that clients can connect to"),
        ("A:1", "A:1: expected name://host:port"),
    ] {
        let text = format!("{map}listeners=A://:1\nadvertised.listeners={advertised}");
        let name = "server.properties:3: advertised.listeners";
        assert_eq!(errors(&text), format!("{name}={advertised}: {expected}"));
    }
    assert_eq!(
        errors("listener.security.protocol.map=A:TLS"),
        "server.properties:1: listener.security.protocol.map=A:TLS: A:TLS: \
         expected name:protocol, of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"
    );
}

#[test]
fn listeners_may_have_any_name() {
    let settings = given(&[
        "listeners=internal://127.0.0.1:9092,EXTERNAL://[::1]:9092,HIDDEN://0.0.0.0:0",
        "advertised.listeners=EXTERNAL://kafka.example.com:19092,INTERNAL://10.0.0.1:9092",
        "listener.security.protocol.map=INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT,HIDDEN:plaintext",
    ])
    .unwrap();
    let advertised: Vec<_> = settings
        .listeners
        .iter()
        .map(|listener| {
            let host = listener.advertised.as_ref().map(|told| told.host.as_str());
            (listener.endpoint.name.as_str(), listener.endpoint.host.as_str(), host)
        })
        .collect();
    assert_eq!(
        advertised,
        [
            ("INTERNAL", "127.0.0.1", Some("10.0.0.1")),
            ("EXTERNAL", "::1", Some("kafka.example.com")),
            ("HIDDEN", "0.0.0.0", None),
        ]
    );
}

#[test]
fn what_is_not_built_yet_says_with_what_it_takes_effect() {
    let text = "group.consumer.max.size=7\nmax.connections=3\n";
    let reasons = ["consumer", "limits"];
    let notices = notices(text);
    assert_eq!(notices.len(), reasons.len(), "{notices:?}");
    for (notice, reason) in notices.iter().zip(reasons) {
        assert!(notice.contains("takes effect with") && notice.contains(reason), "{notice}");
    }
    let settings = start("").unwrap();
    assert!(settings.notices.is_empty(), "nothing set, nothing told");
}

#[test]
fn unknown_names_get_a_suggestion_or_are_refused() {
    let text = "num.partition=3\nretention.ms=5\nsomething.else.entirely=1\nnum.io.threads=8\n\
                listener.name.internal.fetch.max.bytes=5000\nnum.partitions=3\nnum.partitions=4\n";
    assert_eq!(
        notices(text),
        [
            "server.properties:1: num.partition: unknown setting; did you mean num.partitions?",
            "server.properties:2: retention.ms: unknown setting; did you mean log.retention.ms?",
            "server.properties:3: something.else.entirely: unknown setting",
            "server.properties:4: num.io.threads: accepted, no effect: \
             one thread for each core does all of its work; see cores",
            "server.properties:5: listener.name.internal.fetch.max.bytes: accepted, no effect: \
             listeners have no settings of their own yet",
            "server.properties:6: num.partitions: given again on line 7, which counts",
        ]
    );
    let file = Properties::parse("server.properties", text).unwrap();
    let sources =
        Sources { file: Some(&file), overrides: &["logdirs=/x"], machine: MACHINE, strict: true };
    assert_eq!(
        BrokerSettings::resolve(&sources).unwrap_err().to_string(),
        "server.properties:1: num.partition: unknown setting; did you mean num.partitions?\n\
         server.properties:2: retention.ms: unknown setting; did you mean log.retention.ms?\n\
         server.properties:3: something.else.entirely: unknown setting\n\
         --set logdirs: unknown setting; did you mean log.dirs?"
    );
}

#[test]
fn the_command_line_wins_over_the_file() {
    let file = Properties::parse("f", "num.partitions=2\ncores=4\n").unwrap();
    let overrides = ["num.partitions=3", "log.dir=a=b", "num.partitions = 5"];
    let sources =
        Sources { file: Some(&file), overrides: &overrides, machine: MACHINE, strict: true };
    let settings = BrokerSettings::resolve(&sources).unwrap().settings;
    assert_eq!(settings.topic_creation.partitions, 5);
    assert_eq!(settings.cores, 4);
    assert_eq!(settings.log_directories, ["a=b"]);
    assert_eq!(
        given(&["num.partitions=x", "cores"]).unwrap_err().to_string(),
        "--set cores: expected name=value\n\
         --set num.partitions=x: expected a whole number from 1"
    );
}

#[test]
fn alterations_win_over_everything_and_hide_synonyms() {
    let started = given(&["log.retention.minutes=1", "message.max.bytes=10"]).unwrap();
    let for_all = map(&[("log.retention.ms", "5"), ("message.max.bytes", "20")]);
    let for_this = map(&[("message.max.bytes", "30")]);
    let altered = started.altered(&for_all, &for_this).unwrap();
    assert_eq!(altered.topic_defaults.cleanup.retention, Some(Duration::from_millis(5)));
    assert_eq!(altered.topic_defaults.message_bytes_max, 30);
    assert_eq!(altered.altered(&map(&[]), &map(&[])).unwrap(), started);
    assert_eq!(
        started.altered(&map(&[("log.retention.ms", "soon")]), &map(&[])).unwrap_err().to_string(),
        "log.retention.ms=soon: expected a whole number"
    );
}

#[test]
fn memory_is_a_quarter_of_the_machine_within_bounds() {
    let with = |machine_bytes: u64, overrides: &[&str]| {
        let machine = millstream::config::Machine { memory_bytes: machine_bytes, cores: 2 };
        let sources = Sources { file: None, overrides, machine, strict: true };
        BrokerSettings::resolve(&sources).unwrap().settings.storage.memory_bytes
    };
    let memory = |machine_bytes: u64| with(machine_bytes, &[]);
    assert_eq!(memory(64 << 30), 2 << 30);
    assert_eq!(memory(4 << 30), 1 << 30);
    assert_eq!(with(64 << 30, &["cores=1"]), 1 << 30, "for each core that is used");
    assert_eq!(with(64 << 30, &["cores=8"]), 8 << 30);
    assert_eq!(with(64 << 30, &["cores=0"]), 2 << 30);
    assert_eq!(memory(512 << 20), 256 << 20);
    assert_eq!(given(&["memory.bytes=100000000"]).unwrap().storage.memory_bytes, 100_000_000);
}
