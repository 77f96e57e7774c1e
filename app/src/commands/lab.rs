//! `engram lab`: the lab in a browser, served by this program to this machine.

use super::serve::EngineArgs;
use crate::lab::{self, Content, Door, OPENED, Offered, PORT, Site};
use crate::options;
use crate::records;
use crate::ui::Ui;
use anyhow::Result;
use clap::Args;
use engram_core::record::Record;
use engram_core::{Error, journal};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Notify;

/// Arguments of `engram lab`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LabArgs {
    /// Records, result pages and folders of records to open in the page
    #[arg(value_name = "RECORD")]
    pub records: Vec<PathBuf>,
    /// Port to listen on; 0 is any that is free [default: 7878, or a free one where it is taken]
    #[arg(long, value_name = "N", value_parser = number)]
    pub port: Option<u16>,
    /// Do not open a browser
    #[arg(long)]
    pub no_open: bool,
    /// Serve the site in this folder, not the one in the program
    #[arg(long, value_name = "DIR", value_parser = options::text)]
    pub site: Option<String>,
    /// What the native engine has.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Do not offer this computer's engine: pages compute in their tabs alone
    #[arg(long)]
    pub no_engine: bool,
    /// Let every page of this server use the engine without a token; for a machine that nobody else can log in to
    #[arg(long, conflicts_with = "no_engine")]
    pub no_token: bool,
}

const EXAMPLES: &str = "\
Prints the address and serves until Ctrl-C, to this machine only. A browser keeps models and \
studies by address, port and all, so one port always finds them again.

The page computes in its tab, or with this program's engine: choose it under Models, Device. The \
part of the address after # is the token that this takes; studies go on when the tab is closed.

Examples:
  engram lab
  engram lab --no-open --port 0
  engram lab studies/                   # looks at these records; a result page holds them, too
  engram lab --models ~/models --device gpu";

/// A port's number.
fn number(text: &str) -> engram_core::Result<u16> {
    let error = || Error::input("it is not a valid port").hint("give a number from 0 (any that is free) to 65535");
    text.parse().map_err(|_| error())
}

/// Records as files of the site. They are written anew, so that nothing of a page that somebody sent is served but its numbers.
fn opened(records: &[Record]) -> Result<Vec<(String, Content)>> {
    let one = |(at, record): (usize, &Record)| {
        let path = format!("{OPENED}/{}.engram.json", at + 1);
        let content = Content::small(&path, journal::to_json(record)?);
        Ok((path, content))
    };
    records.iter().enumerate().map(one).collect()
}

/// What the page's address asks for.
fn search(opened: &[(String, Content)]) -> String {
    let all: Vec<String> = opened.iter().map(|(path, _)| format!("record={path}")).collect();
    if all.is_empty() { String::new() } else { format!("?tab=study&{}", all.join("&")) }
}

/// Runs the command.
pub fn run(args: &LabArgs, ui: &Ui) -> Result<()> {
    let site = Site::choose(args.site.as_ref().map(PathBuf::from).as_deref())?;
    let opened = opened(&records::read(&args.records, ui)?)?;
    let search = search(&opened);
    let listener = lab::listen(args.port)?;
    let port = listener.local_addr()?.port();
    // Before anybody can read the address and ask for the end.
    let stop = Arc::new(Notify::new());
    let asked = Arc::clone(&stop);
    if let Err(error) = ctrlc::set_handler(move || asked.notify_one()) {
        log::debug!("no Ctrl-C handler: {error}");
    }
    let door = if args.no_engine { None } else { Some(args.engine.door(!args.no_token, ui)?) };
    let link = |fragment: Option<String>| format!("http://127.0.0.1:{port}/{search}{}", fragment.unwrap_or_default());
    let address = link(door.as_ref().map(Door::fragment));
    ui.print(&address)?;
    if args.port.is_none() && port != PORT {
        ui.warn(&format!(
            "port {PORT} is in use, so this is another address; models and studies that the browser keeps for the \
             usual one are not seen here"
        ));
    }
    ui.note("serving this machine only; Ctrl-C ends it");
    if !args.no_open {
        let ui = *ui;
        // What a browser is started with can be read in the list of processes.
        let address = link(door.as_ref().map(Door::opening));
        // What opens browsers is waited for, to hear whether it can; the page must not wait with it.
        std::thread::spawn(move || {
            if let Err(error) = open::that_detached(&address) {
                log::info!("{error}");
                ui.note("no browser could be started; open the address yourself");
            }
        });
    }
    lab::serve(listener, site, Offered { door, opened, ..Offered::default() }, &stop)?;
    Ok(())
}
