//! What is taken away from a tab: a script that computes a cell again, the edits in force as an adapter.

use super::{Captured, Lab};
use crate::edit::{self, Adapter, Base};
use crate::emit::{CellScript, FactText, Files, PutBack};
use crate::error::{Error, Result};
use crate::model::Site;
use crate::protocol::{MapSite, Question};
use crate::record::Corruption;
use crate::trace::{Run, cell_of, next_tokens};

impl Lab {
    /// A script that computes a cell of a fact's maps again with PyTorch and transformers. `files` says where these find the
    /// model.
    ///
    /// # Errors
    /// When there is no such cell, the subject is corrupted by noise, edits are in force, or the device fails.
    pub async fn script(
        &mut self,
        question: &Question,
        (site, position, layer): (MapSite, usize, usize),
        files: &Files,
    ) -> Result<String> {
        if !self.edits.is_empty() {
            return Err(Error::input("edits are in force, and a script computes the model as it was loaded")
                .hint("undo them first"));
        }
        self.at_hand(question).await?;
        let (fact, _) = self.fact_of(question).await?;
        let model = &self.model;
        let Captured { one, settings, .. } = self.captured.as_ref().expect("captured just now, or before");
        let Corruption::Replace { with } = &settings.corruption else {
            return Err(
                Error::input("a script computes the replaced subject, not noise").hint("replace the subject by a name")
            );
        };
        let tokens = &one.tokens;
        let cell = cell_of(tokens, site, position, layer, settings.window_of(model.layers()), model.layers())?;
        let put_back = match site {
            MapSite::Residual => Site::Residual,
            MapSite::Mlp => Site::Mlp,
            MapSite::Attention => Site::Attention,
        };
        let mut p = [0.0; 3];
        let runs = [Run::Clean, Run::Corrupted, Run::PutBack { site: put_back, position, layer }];
        for (p, run) in p.iter_mut().zip(runs) {
            let all = next_tokens(model, one, settings, run, model.net.shape.vocab).await?;
            *p = all.iter().find(|(token, _)| *token == tokens.answer[0]).map_or(0.0, |(_, p)| *p);
        }
        let note = files.note();
        let fact = FactText {
            source: files.source(note.as_deref()),
            prompts: [&fact.prompt(), &fact.corrupted(with).0],
            ids: [&tokens.clean, &tokens.corrupt],
            answer: (&fact.target_true, tokens.answer[0]),
            device: &model.compute.info.told(),
        };
        let script = CellScript { fact, put_back: PutBack::Map { site, layers: cell.0 }, positions: cell.1, p };
        Ok(script.text())
    }

    /// The edits in force as an adapter of PEFT.
    ///
    /// # Errors
    /// When there are none, or one is not of low rank.
    pub fn adapter(&self, files: &Files) -> Result<Adapter> {
        let base = Base { name: files.name.clone(), revision: files.revision.clone() };
        edit::adapter(&self.model, &base, &self.model.overlays)
    }
}
