//! The facts file that a study shall use, wherever it came from: the form's own button, or a drop anywhere on the page,
//! which knows nothing of the form.

use leptos::prelude::*;
use send_wrapper::SendWrapper;
use web_sys::File;

/// A facts file.
#[derive(Clone)]
pub(crate) struct FactsFile(SendWrapper<File>);

impl FactsFile {
    /// A file as facts.
    pub(crate) fn new(file: File) -> Self {
        Self(SendWrapper::new(file))
    }

    /// Its name.
    pub(crate) fn name(&self) -> String {
        self.0.name()
    }

    /// The file.
    pub(crate) fn file(&self) -> &File {
        &self.0
    }
}

thread_local! {
    static INBOX: ArcRwSignal<Option<FactsFile>> = ArcRwSignal::new(None);
}

/// The chosen facts file; the bundled facts when there is none.
pub(crate) fn chosen() -> ArcRwSignal<Option<FactsFile>> {
    INBOX.with(Clone::clone)
}
