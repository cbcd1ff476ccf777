//! One connection to one broker: frames, correlation ids, versions.

use core::time::Duration;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};

use super::ClientError;
use crate::protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::protocol::{ApiKey, ErrorCode, Message, Request, ResponseHeader, Writer, write_request};

const CLIENT_ID: &str = "millstream";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A response without anything inside is larger than nothing and, for fetches, below 2 GiB.
const FRAME_BYTES_MAX: usize = i32::MAX as usize;
/// Asked for first: every broker since 2019 has it.
const API_VERSIONS_FIRST: i16 = 3;

/// A response, not yet decoded.
#[derive(Debug)]
pub struct Answer {
    frame: Vec<u8>,
    body_at: usize,
    api: ApiKey,
    version: i16,
    address: String,
}

impl Answer {
    /// The response itself.
    ///
    /// # Errors
    /// The bytes are no such response.
    pub fn decode<'a, M: Message<'a>>(&'a self) -> Result<M, ClientError> {
        M::decode(&self.frame[self.body_at..], self.version)
            .map_err(|error| ClientError::undecodable(&self.address, self.api, error))
    }
}

/// A request whose response has not been read.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    correlation: i32,
    api: ApiKey,
    version: i16,
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    address: String,
    /// What the broker offers: key, first and last version.
    offered: Vec<(i16, i16, i16)>,
    next_correlation: i32,
    writer: Writer,
}

impl Connection {
    /// Connects to `host:port` and asks what the broker speaks.
    ///
    /// # Errors
    /// The broker cannot be reached, or is none.
    pub fn open(address: &str, response_timeout: Duration) -> Result<Self, ClientError> {
        let stream = connect(address)
            .and_then(|stream| {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(response_timeout))?;
                stream.set_write_timeout(Some(response_timeout))?;
                Ok(stream)
            })
            .map_err(|error| ClientError::Unreachable { address: address.to_owned(), error })?;
        let mut connection = Self {
            stream,
            address: address.to_owned(),
            offered: Vec::new(),
            next_correlation: 0,
            writer: Writer::new(),
        };
        if !connection.ask_versions(API_VERSIONS_FIRST)? {
            connection.ask_versions(0)?;
        }
        Ok(connection)
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// `false` when the broker does not know this version of the question.
    fn ask_versions(&mut self, version: i16) -> Result<bool, ClientError> {
        let request = ApiVersionsRequest {
            client_software_name: "millstream",
            client_software_version: env!("CARGO_PKG_VERSION"),
            ..Default::default()
        };
        let pending = self.send(version, &request)?;
        let mut answer = self.receive(pending)?;
        // The refusal is always in the oldest version.
        let unsupported = ErrorCode::UnsupportedVersion.code().to_be_bytes();
        if answer.frame[answer.body_at..].starts_with(&unsupported) {
            if version == 0 {
                let reason = "it knows no version of ApiVersions".to_owned();
                return Err(ClientError::Malformed { address: self.address.clone(), reason });
            }
            return Ok(false);
        }
        answer.version = version;
        let response: ApiVersionsResponse<'_> = answer.decode()?;
        let keys = response.api_keys.iter();
        self.offered = keys.map(|api| (api.api_key, api.min_version, api.max_version)).collect();
        Ok(true)
    }

    /// The newest version of an API that both sides know, at most `version_max`.
    ///
    /// # Errors
    /// There is none.
    pub fn version(&self, api: ApiKey, version_max: i16) -> Result<i16, ClientError> {
        let known = api.versions();
        let offered = self.offered.iter().find(|(key, ..)| *key == api.key());
        let version = offered.map(|(_, min, max)| (min, *known.end().min(max).min(&version_max)));
        match version {
            Some((min, version)) if version >= *min && version >= *known.start() => Ok(version),
            _ => Err(ClientError::Unsupported { address: self.address.clone(), api }),
        }
    }

    /// Sends a request and waits for its response.
    ///
    /// # Errors
    /// The connection fails; it is of no use any more then.
    pub fn call<'a, R: Request<'a>>(&mut self, request: &R) -> Result<Answer, ClientError> {
        self.call_at_most(i16::MAX, request)
    }

    /// The same in a version of at most `version_max`.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub fn call_at_most<'a, R: Request<'a>>(
        &mut self,
        version_max: i16,
        request: &R,
    ) -> Result<Answer, ClientError> {
        let version = self.version(R::API, version_max)?;
        let pending = self.send(version, request)?;
        self.receive(pending)
    }

    /// Sends a request. Responses come in the order of the requests.
    ///
    /// # Errors
    /// The connection fails, or the request is too large.
    pub fn send<'a, R: Request<'a>>(
        &mut self,
        version: i16,
        request: &R,
    ) -> Result<Pending, ClientError> {
        let correlation = self.next_correlation;
        self.next_correlation = correlation.wrapping_add(1);
        self.writer.clear();
        write_request(&mut self.writer, correlation, Some(CLIENT_ID), version, request)?;
        self.stream.write_all(self.writer.bytes()).map_err(|error| self.ended(error))?;
        Ok(Pending { correlation, api: R::API, version })
    }

    /// Waits for the response to the oldest request that has none yet.
    ///
    /// # Errors
    /// The connection fails, or what comes is no response to that request.
    pub fn receive(&mut self, pending: Pending) -> Result<Answer, ClientError> {
        let frame = self.read_frame()?;
        let Pending { correlation, api, version } = pending;
        let (header, body) = ResponseHeader::split_frame(&frame, api, version)
            .map_err(|error| ClientError::undecodable(&self.address, api, error))?;
        let body_at = frame.len() - body.len();
        if header.correlation_id != correlation {
            let reason = format!("response {} to request {correlation}", header.correlation_id);
            return Err(ClientError::Malformed { address: self.address.clone(), reason });
        }
        Ok(Answer { frame, body_at, api, version, address: self.address.clone() })
    }

    /// Waits until the broker has read every request so far, also those that it does not answer.
    ///
    /// # Errors
    /// The connection fails.
    pub fn await_all(&mut self) -> Result<(), ClientError> {
        self.ask_versions(0).map(|_| ())
    }

    fn read_frame(&mut self) -> Result<Vec<u8>, ClientError> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).map_err(|error| self.ended(error))?;
        let bytes = u32::from_be_bytes(length) as usize;
        if bytes > FRAME_BYTES_MAX {
            let reason = format!("a frame of {bytes} bytes");
            return Err(ClientError::Malformed { address: self.address.clone(), reason });
        }
        // Memory for what arrives, not for what is announced.
        let mut frame = Vec::new();
        let read = (&mut self.stream).take(bytes as u64).read_to_end(&mut frame);
        let read = read.map_err(|error| self.ended(error))?;
        if read < bytes {
            return Err(self.ended(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(frame)
    }

    fn ended(&self, error: io::Error) -> ClientError {
        ClientError::Disconnected { address: self.address.clone(), error }
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for target in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&target, CONNECT_TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
