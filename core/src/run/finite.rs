//! Which layer and site holds the first number that is none.

use super::ActivationCache;
use crate::error::{Error, Result};
use crate::model::Site;

impl ActivationCache {
    /// Whether all captured numbers are finite.
    ///
    /// # Errors
    /// Naming layer and site of the first that is not.
    pub async fn check_finite(&self) -> Result<()> {
        for (&(layer, site), chunks) in &self.kept {
            for rows in chunks {
                let values = rows.values().await?;
                let Some(at) = values.iter().position(|value| !value.is_finite()) else { continue };
                let place = if layer == 0 { "the embedding".into() } else { format!("layer {layer}") };
                return Err(Error::numeric(format!(
                    "{place}, {}: {} in row {}",
                    if layer == 0 { Site::Residual.name() } else { site.name() },
                    values[at],
                    at / rows.width().max(1)
                ))
                .hint("the weights are damaged, or the device computes wrong numbers: run `engram doctor`")
                .in_page(crate::device::WRONG_NUMBERS));
            }
        }
        Ok(())
    }
}
