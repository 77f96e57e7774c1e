//! The maps of what is shown, with everything that is derived from them, and the cell that is looked at.

use super::actions::Actions;
use super::pinned::Pins;
use super::put_back::place;
use super::run::Tracer;
use crate::components::shown;
use crate::components::trace::{CellSheet, Inspector, Legend, MapTabs, Pointer, TraceFigure};
use crate::figures::trace::{
    Cell, Cursor, Standing, Story, TraceMaps, Tracks, Unlike, beside, names, redundancy, told,
};
use crate::lab::Tab;
use crate::state::{MapView, ViewState};
use engram_core::protocol::{Command, MapSite, Word};
use engram_core::record::{Corruption, FactRecord};
use leptos::{ev, html, prelude::*};

/// Tokens of a prompt beyond which one map is drawn at a time: three with more cells would make typing wait.
const MOST_ROWS: usize = 32;

/// What a held cell is a cell of: prompt and subject, whether rows are averaged, layers; and how many facts were opened.
type Shown = (Option<(String, String)>, bool, Option<usize>, usize);

/// What is drawn. A handle: copies are the same.
#[derive(Clone, Copy)]
pub(crate) struct Maps {
    /// The shown trace's own.
    pub(crate) own: Memo<Option<TraceMaps>>,
    /// The same, or differences from the pinned trace.
    pub(crate) maps: Memo<Option<TraceMaps>>,
    /// Why there are no differences where they are wanted, or why they are of roles.
    pub(super) unlike: Memo<Option<Unlike>>,
    /// What the shown trace alone says.
    pub(crate) own_story: Memo<Option<Story>>,
    pub(crate) pins: Pins,
    pub(crate) tracks: Memo<Option<Tracks>>,
    pub(crate) story: Memo<Option<Story>>,
    pub(crate) view: Memo<MapView>,
    pub(crate) pointer: Pointer,
    /// The cell that is looked at, or the peak.
    pub(crate) cursor: Memo<Option<Cursor>>,
}

impl Maps {
    /// The maps of the fact that is shown.
    pub(super) fn of(tracer: Tracer) -> Self {
        let lab = tracer.page.lab;
        let view = Memo::new(move |_| lab.with(|lab| lab.map));
        let pins = Pins::new(tracer);
        // Prompts of different tokens are compared by the roles of these.
        let unlike_tokens = Memo::new(move |_| {
            let pinned = TraceMaps::of(&pins.against()?.fact, false)?;
            let shown = tracer.fact.with(|fact| TraceMaps::of(fact.as_ref()?, false))?;
            shown.minus(&pinned).err().filter(|why| *why == Unlike::Tokens)
        });
        let by_role = Memo::new(move |_| view.get().roles || unlike_tokens.get().is_some());
        let own = Memo::new(move |_| tracer.fact.with(|fact| TraceMaps::of(fact.as_ref()?, by_role.get())));
        let compared = Memo::new(move |_| {
            let pinned = TraceMaps::of(&pins.against()?.fact, by_role.get())?;
            Some(own.get()?.minus(&pinned))
        });
        let unlike = Memo::new(move |_| {
            compared.with(|compared| compared.as_ref()?.as_ref().err().copied()).or(unlike_tokens.get())
        });
        let maps = Memo::new(move |_| match compared.get() {
            Some(Ok(differences)) => Some(differences),
            _ => own.get(),
        });
        let tracks =
            Memo::new(move |_| tracer.fact.with(|fact| own.with(|own| Tracks::of(fact.as_ref()?, own.as_ref()?))));
        let instead =
            Memo::new(move |_| tracer.with_record(|record| replaced_by(&record.settings.corruption)).flatten());
        let own_story = Memo::new(move |_| {
            let (said, corrupted) = (tracer.said(), tracer.corrupted_says());
            tracer.fact.with(|fact: &Option<FactRecord>| {
                own.with(|maps| {
                    let (instead, running) = (instead.get(), tracer.running.get().is_some());
                    let said = [said.as_deref(), corrupted.as_deref()];
                    Some(Story::of(maps.as_ref()?, fact.as_ref()?, said, instead.as_deref(), running))
                })
            })
        });
        let story = Memo::new(move |_| {
            let differences = maps.with(|maps| maps.as_ref().filter(|maps| maps.differs()).cloned());
            match (differences, pins.side(), pins.against()) {
                (Some(maps), Some(this), Some(pinned)) => Some(told(&maps, &names(&this, &pinned.side))),
                _ => own_story.get(),
            }
        });
        let pointer = Pointer::default();
        // The cell of the address, once there are maps; older links have a layer alone.
        let brought = StoredValue::new(lab.with_untracked(|lab| Some((lab.map.row, lab.layer?))));
        Effect::new(move |_| {
            let size = maps.with(|maps| maps.as_ref().map(|maps| (maps.rows.len(), maps.layers, maps.subject_last())));
            if let (Some((row, layer)), Some((rows, layers, last))) = (brought.get_value(), size) {
                brought.set_value(None);
                let row = row.or(last).unwrap_or(0);
                if row < rows && layer <= layers {
                    pointer.hold(Cursor { row, layer });
                }
            }
        });
        // A cell is held in a map; in another one it would be another cell.
        let of = Memo::new(move |_| {
            let prompt = tracer.fact.with(|fact| fact.as_ref().map(|fact| (fact.prompt.clone(), fact.subject.clone())));
            let layers = maps.with(|maps| maps.as_ref().map(|maps| maps.layers));
            (prompt, by_role.get(), layers, tracer.opened.get())
        });
        Effect::new(move |before: Option<Shown>| {
            let now = of.get();
            if before.is_some_and(|before| before != now && before.0.is_some()) {
                pointer.release();
            }
            now
        });
        // A held cell is in the address.
        Effect::new(move |_| {
            let held = pointer.at.get().filter(|_| pointer.held.get());
            if brought.with_value(Option::is_some) {
                return;
            }
            let now = held.map(|at| (Some(at.row), Some(at.layer))).unwrap_or_default();
            if lab.with_untracked(|lab| (lab.map.row, lab.layer)) != now {
                lab.update(|lab| (lab.map.row, lab.layer) = now);
            }
        });
        let cursor = Memo::new(move |_| {
            maps.with(|maps| {
                let maps = maps.as_ref().filter(|maps| maps.standing == Standing::Effect)?;
                let restored = tracks.with(|tracks| tracks.as_ref().map(Tracks::peak));
                if !maps.any() && restored.is_none() {
                    return None;
                }
                let inside = |at: &Cursor| at.row < maps.rows.len() && at.layer <= maps.layers;
                let peak = || {
                    let peak = maps.peak(view.get().site).map(|peak| peak.at);
                    let layer = restored.flatten().filter(|_| !maps.any()).map_or(1, |peak| peak.0);
                    peak.or_else(|| Some(Cursor { row: maps.subject_last()?, layer }))
                };
                pointer.at.get().filter(inside).or_else(peak)
            })
        });
        Self { own, maps, unlike, own_story, pins, tracks, story, view, pointer, cursor }
    }

    /// The layer to edit: that of the cell that is looked at. Without a peak nobody has said which.
    pub(crate) fn layer(self) -> Option<usize> {
        let peak =
            || self.maps.with(|found| found.as_ref().is_some_and(|found| found.peak(self.view.get().site).is_some()));
        self.cursor.get().filter(|_| self.pointer.at.get().is_some() || peak()).map(|at| at.layer)
    }
}

/// What the subject was replaced by; `None` for noise.
pub(super) fn replaced_by(corruption: &Corruption) -> Option<String> {
    match corruption {
        Corruption::Replace { with } => Some(with.clone()),
        Corruption::Noise { .. } => None,
    }
}

/// Tabs, legend and figure.
#[component]
pub(super) fn MapsView(tracer: Tracer, maps: Maps) -> impl IntoView {
    // The row of a held cell is in the view, too; the map is not drawn again for it.
    let site = Signal::from(Memo::new(move |_| maps.view.get().site));
    let scale = Signal::from(Memo::new(move |_| maps.view.get().scale));
    let answer = Signal::derive(move || {
        maps.maps.with(|maps| maps.as_ref().map(|maps| maps.answer.clone()).unwrap_or_default())
    });
    let mapped = move || maps.maps.with(|maps| maps.as_ref().is_some_and(TraceMaps::any));
    // Tracks alone are worth looking at, too.
    let tracked = move || {
        let effect = maps.maps.with(|maps| maps.as_ref().is_some_and(|maps| maps.standing == Standing::Effect));
        effect && maps.tracks.with(Option::is_some)
    };
    let there = move || mapped() || tracked();
    let differs = Signal::derive(move || maps.maps.with(|maps| maps.as_ref().is_some_and(TraceMaps::differs)));
    let top = Signal::derive(move || {
        maps.maps.with(|maps| maps.as_ref().map_or(1.0, |maps| maps.top(site.get(), scale.get())))
    });
    let worse = Signal::derive(move || {
        maps.maps.with(|maps| maps.as_ref().is_some_and(|maps| !maps.differs() && maps.worse()))
    });
    let beyond = move || {
        let view = tracer.page.state.with(ViewState::view);
        tracer.fact.with(|fact| redundancy(fact.as_ref()?, &view))
    };
    let on_site = Callback::new(move |site: MapSite| tracer.page.lab.update(|lab| lab.map.site = site));
    // Three maps of a shallow model stand side by side where there is room.
    let (section, room) = (NodeRef::<html::Section>::new(), RwSignal::new(None::<[f64; 3]>));
    let measure = move || {
        if let Some(measured) = section.get_untracked().and_then(|section| measured(&section)) {
            room.set(Some(measured));
        }
    };
    let resized = window_event_listener(ev::resize, move |_| measure());
    on_cleanup(move || resized.remove());
    Effect::new(move |_| {
        // A hidden screen has no width; it has one once it is shown.
        let here = section.get().is_some() && tracer.page.lab.with(|lab| lab.tab == Tab::Trace);
        if here {
            request_animation_frame(measure);
        }
    });
    let cell = Memo::new(move |_| {
        let [room, tokens, maxima] = room.get()?;
        let few = |maps: &&TraceMaps| maps.any() && maps.rows.len() <= MOST_ROWS;
        let layers = maps.maps.with(|maps| maps.as_ref().filter(few).map(|maps| maps.layers))?;
        beside(room, tokens, maxima, layers)
    });
    let three = Memo::new(move |_| cell.get().is_some());
    let style = move || {
        let layers = maps.maps.with(|maps| maps.as_ref().map_or(1, |maps| maps.layers));
        cell.get().map(|cell| format!("--cell:{cell}px;--layers:{layers}"))
    };
    view! {
        {shown(there, move || view! {
            <section aria-labelledby="map-title" node_ref=section class:three=three style=style>
                <h2 class="unseen" id="map-title">"Causal trace"</h2>
                {shown(mapped, move || view! {
                    <div class="map-head">
                        <MapTabs maps=maps.maps site=site on_site=on_site />
                        <Legend answer=answer differs=differs top=top worse=worse />
                    </div>
                })}
                <TraceFigure
                    maps=maps.maps
                    tracks=maps.tracks
                    story=maps.story
                    site=site
                    scale=scale
                    pointer=maps.pointer
                    cursor=maps.cursor
                    beside=three
                    on_site=on_site
                />
                <p class="origin">{beyond}</p>
            </section>
        })}
    }
}

/// The room of an element that is drawn, that of its tokens, and that of its row maxima, in pixels.
fn measured(element: &web_sys::Element) -> Option<[f64; 3]> {
    let room = element.get_bounding_client_rect().width();
    let tokens = window().get_computed_style(element).ok()??;
    let size = |name| tokens.get_property_value(name).ok()?.trim().trim_end_matches("px").parse::<f64>().ok();
    (room > 0.0).then_some([room, size("--gutter")?, size("--margin")?])
}

/// The inspector, and what can be done with the result.
#[component]
pub(super) fn Side(tracer: Tracer, maps: Maps, says: Signal<Option<Vec<Word>>>) -> impl IntoView {
    let cell = Memo::new(move |_| {
        let (at, site) = (maps.cursor.get()?, maps.view.get().site);
        maps.maps.with(|found| maps.tracks.with(|tracks| Cell::of(found.as_ref()?, tracks.as_ref()?, site, at)))
    });
    let answer = Signal::derive(move || {
        maps.maps.with(|maps| maps.as_ref().map(|maps| maps.answer.clone()).unwrap_or_default())
    });
    let layer = Signal::derive(move || maps.layer());
    let there = move || cell.with(Option::is_some);
    let question = tracer.at_hand();
    let asks = Signal::derive(move || question.with(Option::is_some));
    let layers = Signal::derive(move || maps.maps.with(|maps| maps.as_ref().map_or(1, |maps| maps.layers)));
    let check = move |_| {
        let (Some(question), Some((site, position, layer))) = (question.get_untracked(), untrack(|| place(maps)))
        else {
            return;
        };
        tracer.engine.save("writing the script", Command::Script { question, site, position, layer });
    };
    view! {
        <div>
            {shown(there, move || view! {
                <Inspector cell=cell answer=answer says=says asks=asks>
                    {shown(move || asks.get(), move || view! {
                        <p class="acts"><button
                            type="button"
                            title="A Python script that computes this number again with PyTorch and transformers alone"
                            on:click=check
                        >"Download PyTorch check"</button></p>
                    })}
                    <Actions tracer=tracer layer=layer pins=maps.pins />
                </Inspector>
            })}
            {shown(there, move || view! { <CellSheet cell=cell cursor=maps.cursor layers=layers pointer=maps.pointer /> })}
            {move || (!there()).then(|| view! {
                <div class="inspector"><Actions tracer=tracer layer=Signal::derive(|| None) pins=maps.pins /></div>
            })}
        </div>
    }
}
