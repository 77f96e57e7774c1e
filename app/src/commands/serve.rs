//! `engram serve`: the lab and this computer's engine, for pages on other machines.

use crate::engine;
use crate::lab::token::Token;
use crate::lab::{self, Door, Offered, Site};
use crate::native::{self, Native, Owner};
use crate::options;
use crate::ui::Ui;
use anyhow::Result;
use clap::Args;
use engram_core::device::DeviceChoice;
use engram_core::{Error, Kind};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Notify;

/// What a native engine has.
#[derive(Debug, Args)]
pub struct EngineArgs {
    /// Offer pages the models in this folder too, besides those in the Hub's cache; may be repeated
    #[arg(long, value_name = "DIR", value_parser = options::text)]
    pub models: Vec<String>,
    /// Where the engine computes: auto, gpu, cpu, gpu:NUMBER or gpu:slot
    #[arg(long, value_name = "WHERE", value_parser = options::device, default_value = "auto")]
    pub device: DeviceChoice,
}

impl EngineArgs {
    /// An engine that pages may use, those with its token or all.
    ///
    /// # Errors
    /// When it cannot start, or its token cannot be kept.
    pub fn door(&self, guarded: bool, ui: &Ui) -> Result<Door> {
        let data = native::data();
        let token = match guarded.then(|| Token::kept(&data.join("token"))) {
            // Where nothing can be written, one for this run does.
            Some(Err(error)) if error.kind == Kind::Io => {
                ui.warn(&format!("the token is another one the next time: {error}"));
                Some(Token::new())
            }
            kept => kept.transpose()?,
        };
        let folder = |path: &String| {
            let path = PathBuf::from(path);
            match path.is_dir() {
                true => Ok(path),
                false => Err(Error::input(format!("{}: no such folder", path.display())).hint("check --models")),
            }
        };
        let models = self.models.iter().map(folder).collect::<engram_core::Result<_>>()?;
        let owner = Owner { models, studies: data.join("studies"), device: self.device };
        Ok(Door::open(|post| Native::start(owner, post), token, (name(), engine::program()))?)
    }
}

/// This computer's name.
fn name() -> String {
    sysinfo::System::host_name().unwrap_or_else(|| "this computer".into())
}

/// Arguments of `engram serve`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ServeArgs {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDR:PORT", value_parser = address, default_value = "0.0.0.0:7878")]
    pub listen: SocketAddr,
    /// A name that the server answers to, as a browser says it: behind a proxy, or in a network; may be repeated
    #[arg(long, value_name = "HOST", value_parser = options::text)]
    pub name: Vec<String>,
    /// What the engine has.
    #[command(flatten)]
    pub engine: EngineArgs,
}

const EXAMPLES: &str = "\
Prints a link with the token that every page needs, and serves until Ctrl-C. Whoever has the link \
computes on this machine, sees its models and its studies; nothing else of it can be reached. The \
lines are not encrypted: use a proxy with TLS, or `ssh -L 7878:127.0.0.1:7878` and `engram lab` \
(docs/SERVE.md).

Examples:
  engram serve
  engram serve --listen 127.0.0.1:7878 --name lab.example
  engram serve --models /data/models --device gpu";

/// An address with its port.
fn address(text: &str) -> engram_core::Result<SocketAddr> {
    let error = || Error::input("it is no address with a port").hint("write it like 0.0.0.0:7878 or [::]:7878");
    text.to_socket_addrs().ok().and_then(|mut all| all.next()).ok_or_else(error)
}

/// Runs the command.
pub fn run(args: &ServeArgs, ui: &Ui) -> Result<()> {
    let site = Site::choose(None)?;
    let listener = lab::listen_at(args.listen)?;
    let door = args.engine.door(true, ui)?;
    let bound = listener.local_addr()?;
    let stop = Arc::new(Notify::new());
    let asked = Arc::clone(&stop);
    if let Err(error) = ctrlc::set_handler(move || asked.notify_one()) {
        log::debug!("no Ctrl-C handler: {error}");
    }
    let open = !bound.ip().is_loopback();
    let host = match (args.name.first(), bound.ip().is_unspecified()) {
        (Some(name), _) if !open => name.clone(),
        (Some(name), _) => format!("{name}:{}", bound.port()),
        (None, true) => format!("{}:{}", name(), bound.port()),
        (None, false) => bound.to_string(),
    };
    // Behind a proxy on this machine the browser comes by https.
    let scheme = if open || args.name.is_empty() { "http" } else { "https" };
    ui.print(&format!("{scheme}://{host}/{}", door.fragment()))?;
    let mut given = args.name.clone();
    if open && given.is_empty() {
        given.push(name());
    }
    if open {
        ui.warn(
            "what goes over this network is not encrypted, the token and the prompts either; use a proxy with TLS or ssh \
             (docs/SERVE.md)",
        );
    }
    ui.note("whoever has the link computes on this machine; Ctrl-C ends it");
    lab::serve(listener, site, Offered { door: Some(door), given, ..Offered::default() }, &stop)?;
    Ok(())
}
