//! The live lab: what the page asks of the engine, and the views of what it answers.
//!
//! [`client`] carries messages, [`engine`] knows the device, the model and the edits. Each tab is a file with a folder of
//! its parts. Parts take plain data and call back; only the tab itself talks to the engine.

pub(crate) mod back;
pub(crate) mod browser;
mod chooser;
pub(crate) mod client;
pub(crate) mod copying;
mod draft;
pub(crate) mod edit;
pub(crate) mod engine;
mod examples;
pub(crate) mod export;
pub(crate) mod forward;
pub(crate) mod frame;
pub(crate) mod lessons;
pub(crate) mod models;
mod pace;
pub(crate) mod palette;
pub(crate) mod place;
mod prompt;
mod share;
pub(crate) mod status;
pub(crate) mod study;
mod tokens;
pub(crate) mod trace;
pub(crate) mod trouble;
mod typing;

pub(crate) use crate::state::Tab;
pub(crate) use engine::Engine;
