//! The lab in a browser tab: live tracing, editing and studies, and a viewer of records.
//!
//! Everything on the page is a function of records and of a [`state::ViewState`]. What can be said without a browser is
//! pure and lives in [`load`], [`state`], [`words`], [`scale`] and [`figures`]; it is compiled and tested natively. The
//! views in `components` take these pure figures and never fetch; `app`, `page` and `files` are the only parts that touch the
//! browser.

pub mod figures;
pub mod link;
pub mod load;
pub mod names;
pub mod ranges;
pub mod sample;
pub mod scale;
pub mod shell;
pub mod state;
pub mod wish;
pub mod words;

#[cfg(all(target_family = "wasm", feature = "page"))]
pub mod app;
#[cfg(any(feature = "viewer", feature = "print"))]
mod article;
#[cfg(feature = "views")]
pub mod components;
#[cfg(all(target_family = "wasm", feature = "page"))]
mod files;
#[cfg(all(target_family = "wasm", feature = "page"))]
#[expect(unreachable_pub, reason = "leptos makes the properties of every component public")]
mod lab;
#[cfg(all(target_family = "wasm", feature = "page"))]
mod page;
#[cfg(feature = "print")]
pub mod print;
#[cfg(feature = "views")]
mod take;
#[cfg(all(target_family = "wasm", feature = "viewer"))]
pub mod view;
