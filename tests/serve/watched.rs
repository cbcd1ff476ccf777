//! What those see who watch a broker: its admin port, its log, its service manager.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::process::{Folder, begun, started};
use crate::wire::{create_topic, metadata};

const PATIENCE: Duration = Duration::from_secs(60);

/// The status and the body of a page.
fn page(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Every sample of a page by its name and labels.
fn samples(page: &str) -> BTreeMap<&str, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name, value.parse().unwrap())
        })
        .collect()
}

#[test]
fn the_admin_port_counts_what_clients_do() {
    let folder = Folder::new("metrics");
    let broker = started(&folder, &[]);
    let admin = broker.admin_address();
    assert!(admin.ip().is_loopback());
    assert_eq!(page(admin, "/health"), (200, "healthy\n".to_owned()));
    assert_eq!(page(admin, "/ready"), (200, "ready\n".to_owned()));
    assert_eq!(page(admin, "/nothing").0, 404);
    assert_eq!(create_topic(broker.address(), "counted", 3, &[]), Ok(3));
    assert!(create_topic(broker.address(), "counted", 3, &[]).is_err());
    for _ in 0..5 {
        metadata(broker.address());
    }
    let (status, text) = page(admin, "/metrics");
    assert_eq!(status, 200);
    let found = samples(&text);
    for (name, value) in [
        ("millstream_requests_total{api=\"Metadata\"}", 5.0),
        ("millstream_requests_total{api=\"CreateTopics\"}", 2.0),
        ("millstream_errors_total{code=\"TOPIC_ALREADY_EXISTS\"}", 1.0),
        ("millstream_connections_opened_total", 7.0),
        ("millstream_partitions", 3.0),
        ("millstream_topic_partitions{topic=\"counted\"}", 3.0),
        ("millstream_topic_high_watermark_sum{topic=\"counted\"}", 0.0),
        ("millstream_device_full", 0.0),
        ("millstream_request_stage_seconds_count{api=\"Metadata\",stage=\"answer\"}", 5.0),
        ("millstream_request_stage_seconds_count{api=\"Metadata\",stage=\"send\"}", 5.0),
    ] {
        assert_eq!(found.get(name), Some(&value), "{name}: {text}");
    }
    for name in [
        "millstream_received_bytes_total",
        "millstream_sent_bytes_total{from=\"memory\"}",
        "millstream_wal_commit_seconds_count",
        "millstream_wal_commits_total{core=\"0\"}",
        "millstream_turn_seconds_count{core=\"0\"}",
        "process_resident_memory_bytes",
    ] {
        assert!(found.get(name).is_some_and(|value| *value > 0.0), "{name}: {text}");
    }
    assert_eq!(broker.stop_cleanly(), "");
}

#[test]
fn a_taken_admin_port_never_stops_a_broker() {
    let folder = Folder::new("admin-port");
    let one = started(&folder, &["--data", "one"]);
    let other = started(&folder, &["--data", "other"]);
    assert_ne!(one.admin_address(), other.admin_address());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let setting = format!("admin.listen={}", taken.local_addr().unwrap());
    let third = started(&folder, &["--data", "third", "--set", &setting]);
    assert!(third.greeting.contains("is watched   nowhere"), "{}", third.greeting);
    let errors = third.stop_cleanly();
    assert!(errors.contains(&setting) && errors.contains("choose another"), "{errors}");
    let none = started(&folder, &["--data", "none", "--set", "admin.listen="]);
    assert!(none.greeting.contains("is watched   nowhere"), "{}", none.greeting);
    assert_eq!(none.stop_cleanly(), "");
}

#[test]
fn a_log_for_programs_is_one_object_for_each_event() {
    let folder = Folder::new("json");
    let arguments = ["--set", "log.format=json", "--set", "num.io.threads=3"];
    let broker = begun(&folder, &arguments, &[]);
    let mut lines = Vec::new();
    loop {
        let line: Value = serde_json::from_str(&broker.error_line()).unwrap();
        let serving = line["message"] == "serving";
        lines.push(line);
        if serving {
            break;
        }
    }
    assert!(lines[0]["message"].as_str().unwrap().contains("num.io.threads"), "{lines:?}");
    assert_eq!((&lines[0]["level"], &lines[1]["level"]), (&"WARN".into(), &"INFO".into()));
    assert_ne!(lines[1]["port"], 0);
    let ended = broker.stop(Signal::TERM);
    let last: Value = serde_json::from_str(ended.errors.lines().last().unwrap()).unwrap();
    assert_eq!((ended.code, &last["message"]), (Some(0), &"stopped".into()));
    assert_eq!(ended.output, "", "no sentences");
    let refused = begun(&folder, &["--set", "log.format=json", "--data", "/proc/none"], &[]);
    let line: Value = serde_json::from_str(&refused.error_line()).unwrap();
    assert_eq!(line["level"], "ERROR");
    assert!(line["error"].as_str().unwrap().contains("--data DIR"), "{line}");
}

#[test]
fn systemd_hears_ready_only_from_a_broker_that_serves() {
    let folder = Folder::new("notify");
    let path = folder.path().join("notify.socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = || {
        let mut bytes = [0; 512];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
    };
    let path = path.to_str().unwrap();
    let environment = [("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "300000")];
    let broker = begun(&folder, &[], &environment);
    assert_eq!(heard(), "READY=1");
    let broker = broker.greeted().unwrap_or_else(|ended| panic!("{ended:?}"));
    // Nothing before READY may be asked of it, and everything after.
    assert_eq!(metadata(broker.address()).brokers.len(), 1);
    assert_eq!((heard(), heard()), ("WATCHDOG=1".to_owned(), "WATCHDOG=1".to_owned()));
    assert_eq!(broker.stop(Signal::TERM).code, Some(0));
    while heard() != "STOPPING=1" {}

    // One that cannot serve never says that it does.
    let broker = started(&folder, &[]);
    let refused = begun(&folder, &[], &environment).greeted();
    assert!(refused.is_err());
    socket.set_nonblocking(true).unwrap();
    let mut bytes = [0; 512];
    while let Ok(length) = socket.recv(&mut bytes) {
        assert!(!bytes[..length].starts_with(b"READY"));
    }
    broker.stop_cleanly();
}
