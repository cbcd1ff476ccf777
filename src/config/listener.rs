//! Listeners: `name://host:port`, what they speak, and what clients are told of them.

use std::collections::BTreeMap;

use super::error::{Notice, SettingError};
use super::reader::Reader;

const PROTOCOL_MAP: &str = "listener.security.protocol.map";
const CONTROLLERS: &str = "controller.listener.names";
const CONTROLLER_LISTENER: &str =
    "clients are not served there, and controllers need no address yet";

/// What a listener speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecurityProtocol {
    /// Neither encryption nor authentication.
    Plaintext,
    /// TLS.
    Tls,
    /// Authentication by SASL, without encryption.
    SaslPlaintext,
    /// Authentication by SASL over TLS.
    SaslTls,
}

impl SecurityProtocol {
    /// The protocol that Kafka calls so.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => Some(Self::Plaintext),
            "SSL" => Some(Self::Tls),
            "SASL_PLAINTEXT" => Some(Self::SaslPlaintext),
            "SASL_SSL" => Some(Self::SaslTls),
            _ => None,
        }
    }

    /// What Kafka calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Tls => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslTls => "SASL_SSL",
        }
    }
}

/// An address with the name of its listener.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// The listener's name, in capitals.
    pub name: String,
    /// A host name or an address without brackets; empty where none was given.
    pub host: String,
    /// The port; 0 lets the system choose one.
    pub port: u16,
}

impl Endpoint {
    /// Reads `name://host:port`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, address) = text.rsplit_once("://")?;
        let (host, port) = address.rsplit_once(':')?;
        let host = host.strip_prefix('[').unwrap_or(host);
        let host = host.strip_suffix(']').unwrap_or(host);
        let is_of_host = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'%' | b'.' | b'_' | b':')
        };
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        if name.is_empty() || !is_port || !host.bytes().all(is_of_host) {
            return None;
        }
        let port = port.parse().ok()?;
        Some(Self { name: name.to_uppercase(), host: host.to_owned(), port })
    }

    /// Whether it stands for all interfaces, so that no client can connect to it as it is.
    pub fn is_wildcard(&self) -> bool {
        matches!(self.host.as_str(), "" | "0.0.0.0" | "::")
    }
}

/// A listener for clients.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listener {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// What it speaks.
    pub protocol: SecurityProtocol,
    /// Where clients are told to connect to; none where they are not told of it. A wildcard stands
    /// for the name of the machine, port 0 for the port that was bound.
    pub advertised: Option<Endpoint>,
}

/// The listeners for clients, and notices of those that are not opened.
pub(super) fn listeners(
    reader: &Reader<'_>,
    notices: &mut Vec<Notice>,
) -> Result<Vec<Listener>, SettingError> {
    let endpoints = endpoints(reader, "listeners")?;
    check_ports(reader, &endpoints)?;
    let protocols = Protocols::read(reader)?;
    let advertised = advertised(reader, &endpoints)?;
    let mut listeners = Vec::new();
    for endpoint in endpoints {
        if protocols.controllers.contains(&endpoint.name) {
            let Endpoint { name, host, port } = endpoint;
            let what = format!("listener {name}://{host}:{port}");
            let place = reader.place("listeners");
            notices.push(Notice::NoEffect { place, what, reason: CONTROLLER_LISTENER });
            continue;
        }
        let protocol = protocols.of(reader, &endpoint.name)?;
        let advertised = match &advertised {
            None => Some(endpoint.clone()),
            Some(advertised) => advertised.iter().find(|told| told.name == endpoint.name).cloned(),
        };
        listeners.push(Listener { endpoint, protocol, advertised });
    }
    if !listeners.iter().any(|listener| listener.advertised.is_some()) {
        let problem = "expected a listener that clients are told of".to_owned();
        return Err(reader.refuse_pair("listeners", CONTROLLERS, problem));
    }
    Ok(listeners)
}

/// The addresses of one setting, whose names differ.
fn endpoints(reader: &Reader<'_>, setting: &str) -> Result<Vec<Endpoint>, SettingError> {
    let mut endpoints = Vec::<Endpoint>::new();
    for text in reader.list(setting)? {
        let Some(endpoint) = Endpoint::parse(&text) else {
            let problem = format!("{text}: expected name://host:port");
            return Err(reader.refuse(setting, problem));
        };
        if endpoints.iter().any(|other| other.name == endpoint.name) {
            let problem = format!("{} comes twice: expected different names", endpoint.name);
            return Err(reader.refuse(setting, problem));
        }
        endpoints.push(endpoint);
    }
    Ok(endpoints)
}

/// Two listeners may share a port only where one has an IPv4 address and the other an IPv6 one.
fn check_ports(reader: &Reader<'_>, endpoints: &[Endpoint]) -> Result<(), SettingError> {
    let is_v4 = |endpoint: &Endpoint| endpoint.host.parse::<core::net::Ipv4Addr>().is_ok();
    let is_v6 = |endpoint: &Endpoint| endpoint.host.parse::<core::net::Ipv6Addr>().is_ok();
    for (index, one) in endpoints.iter().enumerate() {
        for other in endpoints[..index].iter().filter(|other| other.port == one.port) {
            let apart = (is_v4(one) && is_v6(other)) || (is_v6(one) && is_v4(other));
            if one.port != 0 && !apart {
                let (first, second, port) = (&other.name, &one.name, one.port);
                let problem =
                    format!("{first} and {second} have port {port}: expected different ones");
                return Err(reader.refuse("listeners", problem));
            }
        }
    }
    Ok(())
}

/// What clients are told where `advertised.listeners` says it.
fn advertised(
    reader: &Reader<'_>,
    endpoints: &[Endpoint],
) -> Result<Option<Vec<Endpoint>>, SettingError> {
    let advertised = self::endpoints(reader, "advertised.listeners")?;
    for told in &advertised {
        if !endpoints.iter().any(|endpoint| endpoint.name == told.name) {
            let names: Vec<&str> = endpoints.iter().map(|known| known.name.as_str()).collect();
            let problem =
                format!("{}: expected names from listeners: {}", told.name, names.join(", "));
            return Err(reader.refuse_pair("advertised.listeners", "listeners", problem));
        }
        if told.is_wildcard() && !told.host.is_empty() {
            let problem = format!("{}: expected an address that clients can connect to", told.host);
            return Err(reader.refuse("advertised.listeners", problem));
        }
    }
    Ok((!advertised.is_empty()).then_some(advertised))
}

/// What listeners speak, by name.
struct Protocols {
    by_name: BTreeMap<String, SecurityProtocol>,
    controllers: Vec<String>,
}

impl Protocols {
    fn read(reader: &Reader<'_>) -> Result<Self, SettingError> {
        let mut by_name = BTreeMap::new();
        let text = reader.text(PROTOCOL_MAP)?;
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let protocol = entry.rsplit_once(':').and_then(|(name, protocol)| {
                Some((name.trim().to_uppercase(), SecurityProtocol::from_name(protocol.trim())?))
            });
            let Some((name, protocol)) = protocol else {
                let words = "expected name:protocol, of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL";
                return Err(reader.refuse(PROTOCOL_MAP, format!("{entry}: {words}")));
            };
            by_name.insert(name, protocol);
        }
        let controllers = reader.list(CONTROLLERS)?;
        let controllers = controllers.iter().map(|name| name.to_uppercase()).collect();
        Ok(Self { by_name, controllers })
    }

    /// What a listener for clients speaks. Only what can be served passes.
    fn of(&self, reader: &Reader<'_>, name: &str) -> Result<SecurityProtocol, SettingError> {
        match self.by_name.get(name) {
            Some(SecurityProtocol::Plaintext) => Ok(SecurityProtocol::Plaintext),
            Some(protocol) => {
                let protocol = protocol.name();
                let problem = format!("{name} speaks {protocol}: only PLAINTEXT is served yet");
                Err(reader.refuse_pair("listeners", PROTOCOL_MAP, problem))
            }
            None => {
                let problem = format!("{name}: expected a name from {PROTOCOL_MAP}");
                Err(reader.refuse_pair("listeners", PROTOCOL_MAP, problem))
            }
        }
    }
}
