//! The site, served to this machine alone: a router that asks who calls, and files.
//!
//! The page reads what a person opens in it, so nobody else may be able to: the server listens on the loopback address,
//! answers to its own name only ([`guard`]), and says in every answer what a browser may do with it ([`headers`]).

mod connections;
#[cfg(test)]
mod engine_tests;
mod guard;
mod headers;
mod reply;
mod sessions;
pub mod site;
mod socket;
#[cfg(test)]
mod sockets_tests;
#[cfg(test)]
mod tests;
pub mod token;

pub use site::{Content, Site};
pub use socket::Door;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use connections::{Limits, Reached};
use engram_core::{Error, Result};
use guard::Names;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use tokio::sync::Notify;

/// A fixed port, because a browser keeps models and studies by address: under another one they are not found again.
pub const PORT: u16 = 7878;

/// Longest path that is looked for; those of the site have 60 letters.
const LONGEST: usize = 1000;

/// What the handlers know.
struct Lab {
    site: Site,
    names: Names,
    /// The engine of this computer, where it is offered.
    door: Option<Door>,
    /// Records, by their paths.
    opened: Vec<(String, Content)>,
}

/// What is offered besides the site.
#[derive(Default)]
pub struct Offered {
    /// The engine of this computer.
    pub door: Option<Door>,
    /// Names that the server answers to, besides those of this machine.
    pub given: Vec<String>,
    /// Records that the page opens, by their paths.
    pub opened: Vec<(String, Content)>,
}

/// Folder of the opened records' paths.
pub const OPENED: &str = "open";

/// A listener that a network can reach.
///
/// # Errors
/// When the address is not this machine's, or taken.
pub fn listen_at(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| {
        Error::io(format!("{address} cannot be opened: {error}"))
            .hint("name an address of this machine and a port that is free, such as 0.0.0.0:7878")
    })
}

/// A listener on the loopback address: on the wanted port, or on [`PORT`], or, where that one is taken, on any free one.
pub fn listen(port: Option<u16>) -> Result<TcpListener> {
    let open = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let refused = |port: u16, error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AddrInUse => Error::io(format!("port {port} is in use"))
            .hint("another lab may be running; end it, or name another port (0: any that is free)"),
        std::io::ErrorKind::PermissionDenied => Error::io(format!("port {port} is not allowed to this program"))
            .hint("name a port from 1024 on (0: any that is free)"),
        _ => {
            Error::io(format!("port {port} cannot be opened: {error}")).hint("name another port (0: any that is free)")
        }
    };
    match port {
        Some(port) => open(port).map_err(|error| refused(port, error)),
        None => open(PORT).or_else(|_| open(0)).map_err(|error| refused(PORT, error)),
    }
}

/// Serves until it is told to stop.
pub fn serve(listener: TcpListener, site: Site, offered: Offered, stop: &Notify) -> Result<()> {
    serve_within(listener, site, offered, stop, Limits::default())
}

fn serve_within(
    listener: TcpListener,
    site: Site,
    Offered { door, given, opened }: Offered,
    stop: &Notify,
    limits: Limits,
) -> Result<()> {
    let failed = |error: std::io::Error| Error::io(format!("the server failed: {error}"));
    let port = listener.local_addr().map_err(failed)?.port();
    listener.set_nonblocking(true).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let names = Names { port, given, reached: None };
    let lab = Arc::new(Lab { site, names, door, opened });
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
        // Nothing is lost with an answer that is cut off, so the end waits for none.
        tokio::select! {
            result = connections::serve(listener, router(Arc::clone(&lab)), limits) => result.map_err(failed),
            () = sweep(&lab) => Ok(()),
            () = stop.notified() => Ok(()),
        }
    })
}

/// Everything that is answered, and the questions that come first.
fn router(lab: Arc<Lab>) -> Router {
    let asked = middleware::from_fn_with_state(Arc::clone(&lab), admitted);
    Router::new()
        .route("/engine", get(socket::offer))
        .route("/engine/key", post(socket::key).layer(DefaultBodyLimit::max(LONGEST)))
        .route("/engine/socket", any(socket::connect))
        .fallback(file)
        .with_state(lab)
        .layer(asked)
}

/// Takes the seats of pages that are gone, for as long as it is polled.
async fn sweep(lab: &Lab) {
    match &lab.door {
        Some(door) => door.sweep().await,
        None => std::future::pending().await,
    }
}

/// Refuses strangers, and says in every answer, refusals too, what a browser may do with it.
async fn admitted(State(lab): State<Arc<Lab>>, request: Request, next: Next) -> Response {
    let policy = headers::policy(request.uri().path());
    let reached = request.extensions().get::<Reached>().and_then(|reached| reached.0);
    let names = Names { reached, ..lab.names.clone() };
    let mut response = match guard::refusal(request.uri(), request.headers(), &names) {
        Some(why) => (StatusCode::FORBIDDEN, format!("{why}\n")).into_response(),
        None => next.run(request).await,
    };
    headers::secure(response.headers_mut(), policy);
    response
}

/// A file of the site.
async fn file(State(lab): State<Arc<Lab>>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let allowed = [(header::ALLOW, "GET, HEAD")];
        return (StatusCode::METHOD_NOT_ALLOWED, allowed, "files can be read, and nothing else\n").into_response();
    }
    let path = request.uri().path();
    if path.len() > LONGEST {
        return (StatusCode::URI_TOO_LONG, "no file of the lab has so long a name\n").into_response();
    }
    let found = match site::relative(path) {
        Some(path) => match lab.opened.iter().find(|one| one.0 == path) {
            Some((_, content)) => Ok(Some((path, content.clone()))),
            None => lab.site.find(&path).map(|file| file.map(|file| (path, file))),
        },
        None => Ok(None),
    };
    let mut response = match found {
        Ok(Some((path, file))) => reply::file(request.headers(), &path, file),
        Ok(None) => (StatusCode::NOT_FOUND, "there is no such file in the lab\n").into_response(),
        Err(error) => {
            log::warn!("{path}: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read\n").into_response()
        }
    };
    if request.method() == Method::HEAD {
        *response.body_mut() = Bytes::new().into();
    }
    response
}
