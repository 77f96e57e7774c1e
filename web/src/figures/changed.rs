//! Two continuations, word by word: what one has that the other lacks.

/// A run of words, and whether the other text lacks it.
pub type Piece = (String, bool);

/// Longest text that is compared word by word; a longer one counts as changed whole.
const MOST_WORDS: usize = 400;

/// Both texts in pieces. Spaces stay with the word that follows them, so that the pieces put together are the texts.
pub fn compare(before: &str, after: &str) -> [Vec<Piece>; 2] {
    let (old, new) = (words(before), words(after));
    if old.len() > MOST_WORDS || new.len() > MOST_WORDS {
        return [vec![(before.into(), true)], vec![(after.into(), true)]];
    }
    // Longest common subsequence from the ends: common[i][j] is that of old[i..] and new[j..].
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] =
                if old[i] == new[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            add(&mut left, old[i], false);
            add(&mut right, new[j], false);
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            add(&mut left, old[i], true);
            i += 1;
        } else {
            add(&mut right, new[j], true);
            j += 1;
        }
    }
    [left, right]
}

fn add(pieces: &mut Vec<Piece>, word: &str, changed: bool) {
    match pieces.last_mut() {
        Some((text, same)) if *same == changed => text.push_str(word),
        _ => pieces.push((word.into(), changed)),
    }
}

/// Words with the spaces before them.
fn words(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut inside = false;
    for (at, c) in text.char_indices() {
        if c.is_whitespace() && inside {
            found.push(&text[start..at]);
            (start, inside) = (at, false);
        } else if !c.is_whitespace() {
            inside = true;
        }
    }
    if start < text.len() {
        found.push(&text[start..]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(pieces: &[Piece]) -> String {
        pieces.iter().map(|(text, _)| text.as_str()).collect()
    }

    #[test]
    fn only_what_changed_is_marked() {
        let (before, after) = (" Paris, the city of light", " Rome, the city of seven hills");
        let [left, right] = compare(before, after);
        assert_eq!(left, [(" Paris,".into(), true), (" the city of".into(), false), (" light".into(), true)]);
        assert_eq!(right[2], (" seven hills".into(), true));
        assert_eq!((whole(&left).as_str(), whole(&right).as_str()), (before, after));
    }

    #[test]
    fn odd_texts_stay_whole() {
        assert_eq!(compare("", ""), [vec![], vec![]]);
        assert_eq!(compare("a b", "a b")[0], [("a b".into(), false)]);
        assert_eq!(whole(&compare("né \n", "né  é")[1]), "né  é");
        let long = "x ".repeat(MOST_WORDS + 1);
        assert_eq!(compare(&long, "y")[0], [(long.clone(), true)]);
    }
}
