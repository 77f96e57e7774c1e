//! The page that opens records of studies and shows them.
//!
//! Everything on the page is a function of records and of a [`state::ViewState`]. What can be said without a browser is
//! pure and lives in [`load`], [`state`], [`words`], [`scale`] and [`figures`]; it is compiled and tested natively. The
//! views in `components` take these pure figures and never fetch; `app`, `page` and `files` are the only parts that touch the
//! browser.

pub mod figures;
pub mod load;
pub mod scale;
pub mod state;
pub mod words;

#[cfg(target_family = "wasm")]
pub mod app;
#[cfg(target_family = "wasm")]
pub mod components;
#[cfg(target_family = "wasm")]
mod files;
#[cfg(target_family = "wasm")]
mod page;
