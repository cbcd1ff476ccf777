//! What a broker is started with: the settings, and what of them only matters at the start.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use super::{ServeArgs, ServeError, machine};
use crate::config::{BrokerSettings, Endpoint, Machine, Notice, Properties, Resolved, Sources};

/// Where a broker listens that was told nothing at all: nobody else can reach it there.
const LISTENERS_DEFAULT: &str = "listeners=PLAINTEXT://127.0.0.1:9092";

/// What a broker is started with.
pub(super) struct Start {
    pub(super) settings: Arc<BrokerSettings>,
    pub(super) notices: Vec<String>,
    /// The data directory as it was given.
    pub(super) root: String,
    pub(super) cores: u16,
    listen: Endpoint,
    advertised: Endpoint,
}

impl Start {
    pub(super) fn resolve(args: &ServeArgs) -> Result<Self, ServeError> {
        let file = args.config.as_ref().map(|path| {
            let name = path.display().to_string();
            let bytes = std::fs::read(path);
            let bytes = bytes.map_err(|error| ServeError::File(name.clone(), error))?;
            Ok::<_, ServeError>(Properties::parse_bytes(&name, &bytes)?)
        });
        let file = file.transpose()?;
        let overrides = overrides(args)?;
        let overrides: Vec<&str> = overrides.iter().map(String::as_str).collect();
        let machine = Machine { memory_bytes: machine::memory_bytes(), cores: machine::cores() };
        let sources =
            Sources { file: file.as_ref(), overrides: &overrides, machine, strict: args.strict };
        let Resolved { settings, notices } = BrokerSettings::resolve(&sources)?;
        let mut notices: Vec<String> = notices.iter().map(Notice::to_string).collect();
        let [root, others @ ..] = &settings.log_directories[..] else {
            unreachable!("a broker has a directory")
        };
        if !others.is_empty() {
            let others = others.join(", ");
            notices.push(format!("log.dirs: a broker has one directory: not used: {others}"));
        }
        let [listener] = &settings.listeners[..] else {
            return Err(ServeError::Request(
                "listeners: one listener for clients is served yet: leave one, or choose it with \
                 --listen HOST:PORT"
                    .to_owned(),
            ));
        };
        let listen = listener.endpoint.clone();
        let advertised = listener.advertised.clone().unwrap_or_else(|| listen.clone());
        let cores = match settings.cores {
            0 => machine::cores(),
            cores => cores.try_into().unwrap_or(u16::MAX),
        };
        let root = root.clone();
        Ok(Self { settings: Arc::new(settings), notices, root, cores, listen, advertised })
    }

    /// The address to listen on.
    pub(super) fn address(&self) -> Result<SocketAddr, ServeError> {
        let Endpoint { host, port, .. } = &self.listen;
        if host.is_empty() {
            // One socket takes both families, where the machine has both.
            let any: IpAddr = match machine::has_ipv6() {
                true => Ipv6Addr::UNSPECIFIED.into(),
                false => Ipv4Addr::UNSPECIFIED.into(),
            };
            return Ok((any, *port).into());
        }
        let unknown = |why: String| {
            ServeError::Request(format!(
                "listeners: the host {host} has no address here: {why}; choose another with \
                 --listen HOST:PORT"
            ))
        };
        let mut found =
            (host.as_str(), *port).to_socket_addrs().map_err(|error| unknown(error.to_string()))?;
        found.next().ok_or_else(|| unknown("the name is not known".to_owned()))
    }

    /// Where clients are told to connect to, now that the port is known.
    pub(super) fn told(&self, port: u16) -> (String, u16) {
        let host = match self.advertised.is_wildcard() {
            true => machine::host_name(),
            false => self.advertised.host.clone(),
        };
        (host, if self.advertised.port == 0 { port } else { self.advertised.port })
    }

    /// The host as it was given, for people.
    pub(super) fn listen_host(&self) -> &str {
        match self.listen.host.as_str() {
            "" => "all interfaces",
            host => host,
        }
    }
}

/// The settings of the command line, in the order in which they win.
fn overrides(args: &ServeArgs) -> Result<Vec<String>, ServeError> {
    let mut overrides = Vec::new();
    let is_set = |name: &str| {
        args.set.iter().any(|set| set.split('=').next().is_some_and(|set| set.trim() == name))
    };
    if args.config.is_none() && !is_set("listeners") {
        overrides.push(LISTENERS_DEFAULT.to_owned());
    }
    overrides.extend(args.set.iter().cloned());
    if let Some(listen) = &args.listen {
        let text = format!("PLAINTEXT://{listen}");
        if Endpoint::parse(&text).is_none() {
            let words = "expected HOST:PORT, such as 0.0.0.0:9092";
            return Err(ServeError::Request(format!("--listen {listen}: {words}")));
        }
        overrides.push(format!("listeners={text}"));
    }
    if let Some(data) = &args.data {
        if data.contains(',') || data.trim() != data || data.is_empty() {
            let words = "expected one directory, without commas or blanks around its name";
            return Err(ServeError::Request(format!("--data {data}: {words}")));
        }
        overrides.push(format!("log.dirs={data}"));
    }
    overrides.extend(args.cores.map(|cores| format!("cores={cores}")));
    Ok(overrides)
}
