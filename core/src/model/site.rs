//! The places in a block where an activation can be read or changed.

use super::{Heads, Shape};

/// A place in a block, in the order of computation. METHODS, "Sites", has the definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Site {
    /// What the query projection gives, with its bias and head norm, before rotation: `[heads · dim]`.
    Query,
    /// The same of the key projection: `[kv heads · dim]`.
    Key,
    /// What the value projection gives: `[kv heads · dim]`.
    Value,
    /// The attention pattern; it can be read, not changed.
    Pattern,
    /// The heads' mixed values, input of `o_proj`: `[heads · dim]`, head after head.
    Heads,
    /// What attention adds to the stream, after the family's post-norm.
    Attention,
    /// Input of `down_proj`, the MLP's key; its columns are neurons.
    MlpKey,
    /// Output of `down_proj`, the MLP's value.
    MlpValue,
    /// What the MLP adds to the stream, after the family's post-norm; without one it is the value.
    Mlp,
    /// The residual stream after the block; at layer 0 the embedding.
    Residual,
}

impl Site {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Query,
        Self::Key,
        Self::Value,
        Self::Pattern,
        Self::Heads,
        Self::Attention,
        Self::MlpKey,
        Self::MlpValue,
        Self::Mlp,
        Self::Residual,
    ];

    /// The field's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "query (before rotation)",
            Self::Key => "key (before rotation)",
            Self::Value => "value",
            Self::Pattern => "attention pattern",
            Self::Heads => "head outputs (o_proj input)",
            Self::Attention => "attention output",
            Self::MlpKey => "MLP key (down_proj input)",
            Self::MlpValue => "MLP value (down_proj output)",
            Self::Mlp => "MLP output",
            Self::Residual => "residual stream",
        }
    }

    /// Numbers of a row there; the pattern's rows are as long as a prompt.
    pub fn width(self, shape: &Shape, heads: &Heads) -> usize {
        match self {
            Self::Query | Self::Heads => heads.count * heads.dim,
            Self::Key | Self::Value => heads.kv * heads.dim,
            Self::MlpKey => shape.ff,
            Self::Attention | Self::MlpValue | Self::Mlp | Self::Residual => shape.width,
            Self::Pattern => 0,
        }
    }

    /// Heads that share a row there; 1 where a row has none.
    pub fn heads(self, heads: &Heads) -> usize {
        match self {
            Self::Query | Self::Heads => heads.count,
            Self::Key | Self::Value => heads.kv,
            _ => 1,
        }
    }
}
