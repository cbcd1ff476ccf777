//! The port for those who watch the broker: metrics, and whether it lives and serves. HTTP on a
//! thread of its own, which asks the cores and shares nothing with them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::exposition;
use super::observer::Observer;
use crate::shard::Stage;

/// How long a core may take to answer; one that is so late serves nobody.
const PATIENCE: Duration = Duration::from_secs(5);
/// A client has to ask and to take its answer within this time: its place is for others then.
const CONNECTION_MAX: Duration = Duration::from_secs(15);
/// Connections at the same time.
const CONNECTIONS_MAX: usize = 64;
/// Ports tried one after the other where nobody chose one.
const PORTS_TRIED: u16 = 100;

/// The admin port, not yet answered on.
#[derive(Debug)]
pub struct Admin(TcpListener);

impl Admin {
    /// Takes the address. With `or_next`, a port that is taken is no reason to fail: those after it
    /// are tried too.
    ///
    /// # Errors
    /// None of them can be listened on.
    pub fn bind(address: SocketAddr, or_next: bool) -> io::Result<Self> {
        let ports = if or_next && address.port() > 0 { PORTS_TRIED } else { 1 };
        let mut address = address;
        for _ in 1..ports {
            match TcpListener::bind(address) {
                Ok(listener) => return Ok(Self(listener)),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
            address.set_port(address.port().wrapping_add(1));
        }
        TcpListener::bind(address).map(Self)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Answers from now on, until the process ends.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn serve(self, observer: Observer) -> io::Result<()> {
        self.0.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = move || {
            let ended = runtime.block_on(accept(self.0, Arc::new(observer)));
            tracing::error!(error = %ended, "admin port closed");
        };
        std::thread::Builder::new().name("admin".to_owned()).spawn(serve).map(drop)
    }
}

/// Accepts connections; the failure that ends it.
async fn accept(listener: TcpListener, observer: Arc<Observer>) -> io::Error {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return error,
    };
    let places = Arc::new(());
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Descriptors are short, which may pass.
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        if Arc::strong_count(&places) > CONNECTIONS_MAX {
            continue;
        }
        let (observer, place) = (Arc::clone(&observer), Arc::clone(&places));
        tokio::spawn(async move {
            converse(stream, observer, CONNECTION_MAX).await;
            drop(place);
        });
    }
}

/// Answers one request of a client, within `time`.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    observer: Arc<Observer>,
    time: Duration,
) {
    let answer = service_fn(|request| answer(request, Arc::clone(&observer)));
    let mut http = hyper::server::conn::http1::Builder::new();
    // Who comes again connects again: no place is held for somebody who is silent.
    let http = http.keep_alive(false).serve_connection(TokioIo::new(stream), answer);
    // What goes wrong with a client's connection is the client's.
    let _ = tokio::time::timeout(time, http).await;
}

async fn answer(
    request: Request<Incoming>,
    observer: Arc<Observer>,
) -> Result<Response<Full<Bytes>>, hyper::http::Error> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n");
    }
    let path = request.uri().path();
    if !["/metrics", "/health", "/ready"].contains(&path) {
        return text(StatusCode::NOT_FOUND, "there are /metrics, /health and /ready\n");
    }
    let page = if path == "/metrics" {
        let asked = tokio::task::spawn_blocking(move || observer.report(PATIENCE)).await;
        asked.ok().flatten().map(|reports| {
            Response::builder()
                .header("content-type", exposition::CONTENT_TYPE)
                .body(Full::from(exposition::text(&reports)))
        })
    } else {
        let is_health = path == "/health";
        let asked = tokio::task::spawn_blocking(move || observer.stage(PATIENCE)).await;
        asked.ok().flatten().map(|stage| match stage {
            _ if is_health => text(StatusCode::OK, "healthy\n"),
            Stage::Stopping => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
            Stage::Starting => text(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
            Stage::Serving => text(StatusCode::OK, "ready\n"),
        })
    };
    page.unwrap_or_else(|| text(StatusCode::SERVICE_UNAVAILABLE, "a core does not answer\n"))
}

fn text(
    status: StatusCode,
    body: &'static str,
) -> Result<Response<Full<Bytes>>, hyper::http::Error> {
    Response::builder()
        .status(status)
        .header("content-type", "text/plain; charset=utf-8")
        .body(Full::from(body))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// Whoever asks and does not listen, or does not even ask, would else hold a place for ever.
    #[test]
    fn a_client_that_takes_no_answer_loses_its_place() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for request in ["GET /metrics HTTP/1.1\r\nhost: here\r\n\r\n", "GET /", ""] {
            let ended = async {
                // Less than an answer fits in between.
                let (mut client, server) = tokio::io::duplex(64);
                client.write_all(request.as_bytes()).await.unwrap();
                let observer = Arc::new(Observer::new(&[]).0);
                let talk = converse(server, observer, Duration::from_millis(50));
                tokio::time::timeout(Duration::from_secs(60), talk).await
            };
            assert!(runtime.block_on(ended).is_ok(), "{request}");
        }
    }
}
