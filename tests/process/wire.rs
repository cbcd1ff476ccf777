//! A connection to a broker: our own codec over a blocking socket.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millstream::protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use millstream::protocol::{Array, Request, Response, ResponseHeader, Writer, write_request};

/// No answer takes longer from a broker that lives.
const PATIENCE: Duration = Duration::from_secs(30);

static RECEIVED_BYTES: AtomicU64 = AtomicU64::new(0);

/// Bytes of all responses so far, lengths included, over every connection of this process.
pub fn received_bytes() -> u64 {
    RECEIVED_BYTES.load(Ordering::Relaxed)
}

pub struct Connection {
    stream: TcpStream,
    next_correlation: i32,
    frame: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, next_correlation: 0, frame: Vec::new() })
    }

    /// Sends a request; answers its correlation id.
    pub fn send<'a, M: Request<'a>>(&mut self, version: i16, request: &M) -> io::Result<i32> {
        let correlation = self.next_correlation;
        self.next_correlation += 1;
        let mut writer = Writer::new();
        write_request(&mut writer, correlation, Some("process"), version, request)
            .map_err(|error| io::Error::other(error.to_string()))?;
        self.stream.write_all(writer.bytes())?;
        Ok(correlation)
    }

    /// Receives the response to the oldest request that has none, and gives it to `look`.
    pub fn receive<'a, R: Response<'a>, T>(
        &'a mut self,
        version: i16,
        correlation: i32,
        look: impl FnOnce(&R) -> T,
    ) -> Result<T, Broken> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        self.frame.resize(length, 0);
        self.stream.read_exact(&mut self.frame)?;
        RECEIVED_BYTES.fetch_add(4 + length as u64, Ordering::Relaxed);
        let name = R::NAME;
        let damaged = |error| Broken::Wrong(format!("{name} cannot be read: {error}"));
        let (header, body) =
            ResponseHeader::split_frame(&self.frame, R::API, version).map_err(damaged)?;
        if header.correlation_id != correlation {
            let got = header.correlation_id;
            return Err(Broken::Wrong(format!("{name}: response {got} instead of {correlation}")));
        }
        let response = R::decode_exact(body, version).map_err(damaged)?;
        Ok(look(&response))
    }

    /// Sends a request and waits for the response.
    pub fn call<'a, 'b, M: Request<'b>, R: Response<'a>, T>(
        &'a mut self,
        version: i16,
        request: &M,
        look: impl FnOnce(&R) -> T,
    ) -> Result<T, Broken> {
        let correlation = self.send(version, request)?;
        self.receive(version, correlation, look)
    }
}

/// Why something could not be asked.
#[derive(PartialEq, Eq, Debug)]
pub enum Broken {
    /// The connection is gone: nobody knows whether what was asked has been done.
    Connection(String),
    /// The broker did what it must not do.
    Wrong(String),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Connection(error.to_string())
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connection(why) => write!(f, "the connection broke: {why}"),
            Self::Wrong(why) => f.write_str(why),
        }
    }
}

/// Makes a topic; answers the error code.
pub fn create_topic(
    address: SocketAddr,
    name: &str,
    partitions: i32,
    settings: &[(&str, &str)],
) -> Result<i16, String> {
    let configs: Vec<_> = settings
        .iter()
        .map(|(name, value)| CreatableTopicConfig { name, value: Some(value) })
        .collect();
    let topics = [CreatableTopic {
        name,
        num_partitions: partitions,
        replication_factor: 1,
        configs: Array::new(&configs),
        ..Default::default()
    }];
    let request = CreateTopicsRequest {
        topics: Array::new(&topics),
        timeout_ms: 30_000,
        ..Default::default()
    };
    let mut connection = Connection::open(address).map_err(|error| error.to_string())?;
    connection
        .call(7, &request, |response: &CreateTopicsResponse<'_>| {
            response.topics.iter().next().map_or(-1, |topic| topic.error_code)
        })
        .map_err(|error| error.to_string())
}
