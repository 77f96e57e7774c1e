//! `cargo xtask gpu [--shape NAME] [--facts COUNT]`: stage 1 of a model of a real size with random weights, on every device
//! and in every precision, and the products it is made of, as a table to send to us. The build has SPIR-V.

use anyhow::Result;

#[cfg(feature = "gpu")]
mod measure;
#[cfg(feature = "gpu")]
mod model;

#[cfg(not(feature = "gpu"))]
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    crate::shell::again("gpu", "gpu", arguments)
}

#[cfg(feature = "gpu")]
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    use anyhow::{Context, bail};
    let (mut shape, mut facts) = ("smollm2", 12usize);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--shape" => shape = value()?,
            "--facts" => facts = value()?.parse().context("--facts needs a number")?,
            other => bail!("`{other}` is none of --shape NAME and --facts COUNT"),
        }
    }
    let Some(shape) = model::SHAPES.iter().find(|one| one.name == shape) else {
        let names: Vec<&str> = model::SHAPES.iter().map(|shape| shape.name).collect();
        bail!("there is no shape {shape:?}\nhint: choose among {}", names.join(", "));
    };
    measure::run(shape, facts.max(2))
}
