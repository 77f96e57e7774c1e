//! Connections: how many at a time, and for how long one may keep silent. Whoever opens many and says nothing, or says it
//! a letter at a time, must not keep the page from its files.

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

/// What a connection may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until the head of a request is there as a whole: the first, or the next one over the same connection.
    pub head: Duration,
    /// For the next bytes of an answer to go.
    pub stalled: Duration,
    /// Connections at a time; a browser opens six.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: Duration::from_secs(30), stalled: Duration::from_secs(60), connections: 64 }
    }
}

/// The address at which a connection has reached the server.
#[derive(Debug, Clone, Copy)]
pub struct Reached(pub Option<IpAddr>);

/// Most bytes of a request's head; what is longer is refused with 431. A browser sends one or two thousand.
const HEAD: usize = 32 << 10;

/// Answers for as long as it is polled.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits) -> io::Result<()> {
    let seats = Arc::new(Semaphore::new(limits.connections));
    loop {
        // The system keeps a few more waiting, and one that keeps silent soon gives up its seat.
        let seat = Arc::clone(&seats).acquire_owned().await.map_err(io::Error::other)?;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) if went_away(error.kind()) => continue,
            Err(error) => {
                // Out of file descriptors, mostly; that passes.
                log::warn!("a connection could not be taken: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        // A page in the network names the address that it has reached.
        let reached = Reached(stream.local_addr().ok().map(|address| address.ip()));
        let router = router.clone().layer(Extension(reached));
        tokio::spawn(async move {
            if let Err(error) = answer(stream, router, limits).await {
                log::debug!("a connection ended: {error}");
            }
            drop(seat);
        });
    }
}

fn went_away(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}

/// One connection, to its end.
async fn answer(stream: TcpStream, router: Router, limits: Limits) -> hyper::Result<()> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.stalled));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(router))
        .with_upgrades()
        .await
}
