//! The tab of models and the device: bundled models, others from the web or from this machine, what is kept, what is
//! loaded, and what it runs on.

mod bundled;
mod cache;
pub(crate) mod device;
mod disk;
mod fetch;
pub(crate) mod loading;
pub(crate) mod open;

use crate::lab::Engine;
use crate::lab::place::Place;
use crate::lab::trouble::Why;
use crate::page::Page;
use bundled::BundledModels;
use cache::Cache;
use device::{Device, Identity};
use disk::Disk;
use fetch::Fetch;
use leptos::prelude::*;
use loading::Loading;

pub(crate) use disk::dropped;

/// The tab of models and the device.
#[component]
pub(crate) fn Models(page: Page, engine: Engine) -> impl IntoView {
    view! {
        <Why engine=engine />
        <Loading engine=engine />
        <div class="cols models-screen">
            <div>
                <BundledModels page=page engine=engine />
                {move || match engine.place.get() {
                    Place::Tab => view! { <Fetch page=page engine=engine /> <Disk page=page engine=engine /> }.into_any(),
                    Place::Computer => ().into_any(),
                }}
                <Cache page=page engine=engine />
            </div>
            <aside aria-label="What is loaded, and the device">
                <Identity engine=engine />
                <Device engine=engine />
            </aside>
        </div>
    }
}
