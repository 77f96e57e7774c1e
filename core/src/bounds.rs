//! What the numbers of a configuration can be, for all families and file formats. A damaged or hostile configuration is
//! refused by these before anything is allocated by it.

/// More layers than any model has.
pub(crate) const MOST_LAYERS: usize = 4096;
/// More attention heads than any layer has.
pub(crate) const MOST_HEADS: usize = 4096;

/// Largest sizes by their keys. Their products stay below what 32 bits address.
const SIZES: [(&[&str], usize); 7] = [
    (&["num_hidden_layers", "n_layer", "sliding_window_pattern"], MOST_LAYERS),
    (&["hidden_size", "n_embd"], 1 << 17),
    (&["intermediate_size", "n_inner"], 1 << 19),
    (&["num_attention_heads", "num_key_value_heads", "n_head"], MOST_HEADS),
    (&["head_dim"], 1 << 13),
    (&["vocab_size"], 1 << 24),
    (
        &["original_max_position_embeddings", "max_position_embeddings", "n_positions", "sliding_window"],
        i32::MAX as usize,
    ),
];

/// Ranges of other numbers by their keys.
const NUMBERS: [(&[&str], f64, f64); 7] = [
    (&["rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon"], 0.0, 1.0),
    (&["rope_theta", "rope_local_base_freq"], 1e-3, 1e15),
    (&["partial_rotary_factor"], 0.0, 1.0),
    (&["factor", "low_freq_factor", "high_freq_factor"], 1e-6, 1e6),
    (&["query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping"], 1e-6, 1e9),
    (&["short_factor", "long_factor", "attention_factor"], 1e-6, 1e6),
    (&["mscale", "mscale_all_dim", "beta_fast", "beta_slow", "max_window_layers"], 0.0, 1e9),
];

/// Numbers without a range of their own must at least be numbers in 32 bits too.
const ANY: f64 = 1e30;

/// The largest value of a size.
pub(crate) fn most(key: &str) -> usize {
    SIZES.iter().find(|(keys, _)| keys.contains(&key)).map_or(i32::MAX as usize, |(_, most)| *most)
}

/// The range of a number.
pub(crate) fn range(key: &str) -> (f64, f64) {
    NUMBERS.iter().find(|(keys, ..)| keys.contains(&key)).map_or((-ANY, ANY), |&(_, least, most)| (least, most))
}
