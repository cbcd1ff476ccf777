//! Below requests: lengths, other protocols, cut and strung-together bytes, ends.

use std::time::Duration;

use millstream::protocol::messages::api_versions::ApiVersionsRequest;
use millstream::protocol::messages::metadata::MetadataRequest;

use crate::batches::Plain;
use crate::broker::Broker;
use crate::client::{Client, Heard, eventually, request, with_fetch, with_produce};

/// The default of `socket.request.max.bytes`.
const REQUEST_BYTES_MAX: i32 = 100 << 20;

/// Sends bytes of which nothing can be made, and asserts that the connection is closed for them.
fn closes(broker: &Broker, bytes: &[u8]) {
    let mut client = Client::connect(broker);
    client.send(bytes);
    assert_eq!(client.hear(), Heard::Closed, "after {:02x?}", &bytes[..bytes.len().min(20)]);
    broker.is_well();
}

#[test]
fn senseless_lengths_close() {
    let broker = Broker::start();
    for length in [-1, 0, i32::MIN, i32::MAX, REQUEST_BYTES_MAX + 1] {
        closes(&broker, &length.to_be_bytes());
        let with_more = [&length.to_be_bytes()[..], &[0; 1000]].concat();
        closes(&broker, &with_more);
    }
}

#[test]
fn a_good_request_in_front_of_a_senseless_length_is_answered() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    let good = request(5, 0, &ApiVersionsRequest::default());
    client.send(&[&good[..], &(-1i32).to_be_bytes()].concat());
    assert_eq!(client.frame()[..4], 5i32.to_be_bytes());
    assert_eq!(client.hear(), Heard::Closed);
    broker.is_well();
}

#[test]
fn other_protocols_close() {
    let broker = Broker::start();
    closes(&broker, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    closes(&broker, b"POST /topics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello");
    closes(&broker, b"SSH-2.0-OpenSSH_9.2\r\n");
    // A TLS 1.2 record with a ClientHello.
    let mut hello = vec![0x16, 0x03, 0x01, 0x00, 0x2f, 0x01, 0x00, 0x00, 0x2b, 0x03, 0x03];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0x13, 0x01, 1, 0, 0, 0]);
    closes(&broker, &hello);
}

#[test]
fn bytes_that_come_one_by_one_are_understood() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.create_topic("slowly", 1, &[]);
    let batch = Plain::of(&[b"one", b"two"]).bytes();
    let produce = with_produce("slowly", Some(&batch), |produce| request(1, 9, produce));
    for byte in produce {
        client.send(&[byte]);
        std::thread::sleep(Duration::from_micros(200));
    }
    client.frame();
    assert_eq!(client.fetch("slowly", 0)[16..], batch[16..]);
    broker.is_well();
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    const REQUESTS: i32 = 1000;
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.create_topic("ordered", 1, &[]);
    let batch = Plain::of(&[b"value"]).bytes();
    let mut bytes = Vec::new();
    for id in 0..REQUESTS {
        bytes.extend(match id % 4 {
            // Waits for the disk.
            0 => with_produce("ordered", Some(&batch), |produce| request(id, 9, produce)),
            // Waits for data, or for time to pass.
            1 => with_fetch("ordered", i64::from(id / 4) + 1, 5, |fetch| request(id, 11, fetch)),
            2 => request(id, 0, &ApiVersionsRequest::default()),
            _ => request(id, 9, &MetadataRequest::default()),
        });
    }
    let mut writer = Client { stream: client.stream.try_clone().unwrap() };
    let sending = std::thread::spawn(move || writer.send(&bytes));
    for id in 0..REQUESTS {
        assert_eq!(client.frame()[..4], id.to_be_bytes());
    }
    sending.join().unwrap();
    broker.is_well();
}

#[test]
fn a_frame_that_never_ends_ends_with_its_connection() {
    let broker = Broker::start();
    broker.is_well();
    let before = broker.sockets();
    let frame = request(1, 9, &MetadataRequest::default());
    for end in 0..frame.len() {
        let mut client = Client::connect(&broker);
        client.send(&frame[..end]);
        client.end_sending();
        assert_eq!(client.hear(), Heard::Closed, "{end} bytes");
    }
    broker.is_well();
    eventually("sockets are closed", || broker.sockets() <= before);
}

#[test]
fn half_closed_connections_are_given_up() {
    let broker = Broker::start();
    Client::connect(&broker).create_topic("empty", 1, &[]);
    broker.is_well();
    let before = broker.sockets();
    let mut clients: Vec<Client> = (0..200).map(|_| Client::connect(&broker)).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        // Some wait for what never comes when their client ends.
        let wait = with_fetch("empty", 0, 600_000, |fetch| request(1, 11, fetch));
        match index % 3 {
            0 => {}
            1 => client.send(&wait),
            _ => client.send(&wait.repeat(20)),
        }
        client.end_sending();
    }
    for client in &mut clients {
        assert_eq!(client.hear(), Heard::Closed);
    }
    drop(clients);
    broker.is_well();
    eventually("sockets are closed", || broker.sockets() <= before);
}

#[test]
fn clients_that_vanish_in_a_wait_leave_nothing() {
    let broker = Broker::start();
    Client::connect(&broker).create_topic("empty", 1, &[]);
    broker.is_well();
    let before = broker.sockets();
    for _ in 0..300 {
        let mut client = Client::connect(&broker);
        client.send(&with_fetch("empty", 0, 600_000, |fetch| request(1, 11, fetch)));
    }
    broker.is_well();
    eventually("sockets are closed", || broker.sockets() <= before);
}
