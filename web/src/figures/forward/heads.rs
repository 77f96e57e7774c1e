//! What the heads of a layer attend to from the prompt's last token.

/// A head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Head {
    /// Its number, from 1.
    pub number: usize,
    /// The share of its attention that one token gets.
    pub share: f64,
    /// It is the layer's highest, and gives that token more than [`NOTABLE`].
    pub top: bool,
}

/// Less attention than this is not worth a name.
const NOTABLE: f64 = 0.15;

/// The heads of a layer with what they give the token at `position`; empty where it was not computed.
pub fn heads(attention: &[Vec<f32>], position: usize) -> Vec<Head> {
    let shares: Vec<f64> = attention.iter().filter_map(|head| head.get(position).copied().map(f64::from)).collect();
    let most = shares.iter().copied().fold(NOTABLE, f64::max);
    let top = shares.iter().position(|share| *share >= most && *share > NOTABLE);
    let head = |(at, share): (usize, &f64)| Head { number: at + 1, share: *share, top: top == Some(at) };
    shares.iter().enumerate().map(head).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_head_is_named_where_it_is_high() {
        let found = heads(&[vec![0.9, 0.1], vec![0.3, 0.7], vec![0.8, 0.2]], 1);
        assert_eq!(found.iter().map(|head| head.top).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(found[1].number, 2);
        assert!(heads(&[vec![0.9, 0.1], vec![0.95, 0.05]], 1).iter().all(|head| !head.top), "none is notable");
        assert!(heads(&[], 1).is_empty());
        assert!(heads(&[vec![1.0]], 1).is_empty(), "there is no such token");
    }
}
