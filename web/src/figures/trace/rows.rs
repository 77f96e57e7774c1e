//! Rows of the maps: the person's own tokens, each with the token of the replacement that stands in its place.

use crate::words;
use engram_core::record::Traced;

/// What a token is in its prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Before the subject.
    Before,
    /// The subject's first token, of several.
    First,
    /// Between them.
    Middle,
    /// The subject's last token, also where it is the only one.
    Last,
    /// Behind the subject.
    Further,
    /// The prompt's last token.
    LastToken,
}

impl Role {
    /// All of them, in the order of a prompt.
    pub const ALL: [Self; 6] = [Self::Before, Self::First, Self::Middle, Self::Last, Self::Further, Self::LastToken];

    /// Its name beside a row.
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::First => "first",
            Self::Middle => "middle",
            Self::Last => "last",
            Self::Further => "further",
            Self::LastToken => "last token",
        }
    }

    /// The same in full.
    pub fn full(self) -> &'static str {
        match self {
            Self::Before => "before the subject",
            Self::First => "first subject token",
            Self::Middle => "middle subject token",
            Self::Last => "last subject token",
            Self::Further => "further token",
            Self::LastToken => "last token",
        }
    }

    /// It belongs to the subject.
    pub fn is_subject(self) -> bool {
        matches!(self, Self::First | Self::Middle | Self::Last)
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its text, spaces visible; a role's name where rows are averaged.
    pub text: String,
    /// What the replacement has instead, where that is another token.
    pub instead: Option<String>,
    /// It is a token of the subject that the replacement has, too.
    pub same: bool,
    /// What it is.
    pub role: Role,
    /// It is the first row of its role.
    pub leads: bool,
    /// It stands for all tokens of its role, and has no token of its own.
    pub averaged: bool,
    /// Positions in the corrupted prompt that it stands for: one, several where rows are averaged, none without a counterpart.
    pub at: Vec<usize>,
}

/// The role of a position of the clean prompt.
pub fn role(at: usize, [start, end]: [usize; 2], of: usize) -> Role {
    match at {
        _ if (start..end).contains(&at) && at + 1 == end => Role::Last,
        _ if (start..end).contains(&at) && at == start => Role::First,
        _ if (start..end).contains(&at) => Role::Middle,
        _ if at + 1 == of => Role::LastToken,
        _ if at < start => Role::Before,
        _ => Role::Further,
    }
}

/// The corrupted position that belongs to a clean one: outside the subject from the nearer end, inside it from its end.
fn counterpart(traced: &Traced, at: usize) -> Option<usize> {
    let ([start, end], [other_start, other_end]) = (traced.subject_span, traced.corrupt_span);
    let found = if at >= end {
        traced.corrupt_tokens.len().checked_sub(traced.tokens.len() - at)?
    } else if at >= start {
        other_end.checked_sub(end - at).filter(|found| *found >= other_start)?
    } else {
        at
    };
    (found < traced.corrupt_tokens.len()).then_some(found)
}

/// Leading tokens of a longer replacement, against which no token of the subject stands.
pub fn beyond_subject(traced: &Traced) -> Vec<String> {
    let ([start, end], [other_start, other_end]) = (traced.subject_span, traced.corrupt_span);
    let first = (other_end + start).saturating_sub(end);
    traced.corrupt_tokens.get(other_start..first).unwrap_or_default().iter().map(|token| words::token(token)).collect()
}

/// The rows of a traced prompt: its tokens, or one for each role.
pub fn rows(traced: &Traced, by_role: bool) -> Vec<Row> {
    let of = traced.tokens.len();
    let row = |(at, token): (usize, &String)| {
        let found = counterpart(traced, at);
        let other = found.and_then(|found| traced.corrupt_tokens.get(found)).filter(|other| *other != token);
        let role = role(at, traced.subject_span, of);
        Row {
            text: words::token(token),
            instead: other.map(|other| words::token(other)),
            // With noise all tokens are the same, and none is without effect for that.
            same: role.is_subject() && found.is_some() && other.is_none() && traced.corrupt_tokens != traced.tokens,
            role,
            leads: at == 0 || self::role(at - 1, traced.subject_span, of) != role,
            averaged: false,
            at: found.into_iter().collect(),
        }
    };
    let all: Vec<Row> = traced.tokens.iter().enumerate().map(row).collect();
    if !by_role {
        return all;
    }
    let one = |wanted: Role| {
        let of_role = all.iter().filter(|row| row.role == wanted);
        let (count, at) = (of_role.clone().count(), of_role.flat_map(|row| row.at.clone()).collect());
        let name = if wanted == Role::Last { "last of subject" } else { wanted.name() };
        let text = if count == 1 { name.to_owned() } else { format!("{name} ({count})") };
        (count > 0).then_some(Row { text, instead: None, same: false, role: wanted, leads: true, averaged: true, at })
    };
    Role::ALL.into_iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::super::machu;
    use super::*;

    #[test]
    fn every_token_has_its_role_and_its_counterpart() {
        let rows = rows(&machu::traced(), false);
        let roles: Vec<&str> = rows.iter().map(|row| row.role.name()).collect();
        assert_eq!(roles, ["first", "middle", "last", "further", "last token"]);
        assert_eq!(rows[2].instead.as_deref(), Some("·Person"));
        assert_eq!(rows[3].instead, None, "the same token");
        assert!(rows.iter().all(|row| !row.same), "none of the subject's");
        assert!(rows.iter().enumerate().all(|(at, row)| row.at == [at]));
    }

    #[test]
    fn a_shorter_replacement_leaves_rows_without_a_match() {
        let mut traced = machu::traced();
        traced.corrupt_tokens.drain(..1);
        traced.corrupt_span = [0, 2];
        let at: Vec<Vec<usize>> = rows(&traced, false).into_iter().map(|row| row.at).collect();
        assert_eq!(at, [vec![], vec![0], vec![1], vec![2], vec![3]]);
        traced.corrupt_tokens.splice(..0, ["A".to_owned(), " very".into(), " long".into()]);
        traced.corrupt_span = [0, 5];
        let at: Vec<Vec<usize>> = rows(&traced, false).into_iter().map(|row| row.at).collect();
        assert_eq!(at, [vec![2], vec![3], vec![4], vec![5], vec![6]], "aligned at the subject's end");
        assert_eq!(beyond_subject(&traced), ["A", "·very"]);
        assert!(beyond_subject(&machu::traced()).is_empty());
    }

    #[test]
    fn roles_take_their_tokens_together() {
        let mut traced = machu::traced();
        traced.tokens.insert(3, " now".into());
        traced.corrupt_tokens.insert(3, " now".into());
        let rows = rows(&traced, true);
        let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        let wanted = ["first", "middle", "last of subject", "further (2)", "last token"];
        assert_eq!(texts, wanted);
        assert_eq!(rows[3].at, [3, 4]);
    }
}
