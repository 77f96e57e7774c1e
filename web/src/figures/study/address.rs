//! Filters of the table of facts in an address.

use super::{At, Filter, Group, SortBy};

/// Longest search that an address may bring, in bytes.
const LONGEST: usize = 200;

/// Columns by their names in an address.
const COLUMNS: [(SortBy, &str); 5] = [
    (SortBy::Number, "number"),
    (SortBy::Fact, "fact"),
    (SortBy::Clean, "clean"),
    (SortBy::Peak, "peak"),
    (SortBy::Edit, "edit"),
];

impl Filter {
    /// Names of an address that it reads. Links of versions before 0.9 have the last four.
    pub const NAMES: [&str; 8] = ["find", "facts", "peak", "sort", "state", "edited", "from", "to"];

    /// Takes over one `name=value` of an address. Unknown names and values that make no sense change nothing.
    pub fn read(&mut self, name: &str, value: &str) {
        match name {
            "find" if value.len() <= LONGEST => self.text = value.to_owned(),
            "facts" | "state" => {
                self.group = Group::all().into_iter().find(|group| address(*group) == value).unwrap_or(self.group);
            }
            "edited" if matches!(value, "" | "1" | "true") => self.group = Group::Edited,
            "peak" if value == "none" => self.at = Some(At::Nowhere),
            "peak" => {
                let (argmax, layers) = value.strip_prefix("argmax-").map_or((false, value), |layers| (true, layers));
                let (from, to) = layers.split_once('-').unwrap_or((layers, layers));
                self.at = match (layer(from), layer(to)) {
                    (Some(layer), _) if argmax => Some(At::Argmax(layer)),
                    (Some(from), Some(to)) if from <= to => Some(At::Layers(from, to)),
                    _ => self.at,
                };
            }
            "from" | "to" => {
                let Some(layer) = layer(value) else { return };
                let (from, to) = if let Some(At::Layers(from, to)) = self.at { (from, to) } else { (1, usize::MAX) };
                self.at = Some(if name == "from" { At::Layers(layer, to) } else { At::Layers(from, layer) });
            }
            "sort" => {
                let (column, falling) = value.strip_prefix('-').map_or((value, false), |column| (column, true));
                if let Some((sort, _)) = COLUMNS.into_iter().find(|(_, name)| *name == column) {
                    (self.sort, self.falling) = (sort, falling);
                }
            }
            _ => {}
        }
    }

    /// What differs from the defaults, as names and values for an address.
    pub fn written(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        if !self.text.trim().is_empty() && self.text.len() <= LONGEST {
            pairs.push(("find", self.text.clone()));
        }
        if self.group != Group::All {
            pairs.push(("facts", address(self.group)));
        }
        pairs.extend(self.at.map(|at| {
            let layers = match at {
                At::Nowhere => "none".to_owned(),
                At::Argmax(layer) => format!("argmax-{layer}"),
                At::Layers(from, to) if from == to => from.to_string(),
                At::Layers(from, to) => format!("{from}-{to}"),
            };
            ("peak", layers)
        }));
        let column = COLUMNS.into_iter().find(|(sort, _)| *sort == self.sort).map_or("", |(_, name)| name);
        if (self.sort, self.falling) != (SortBy::default(), false) {
            pairs.push(("sort", format!("{}{column}", if self.falling { "-" } else { "" })));
        }
        pairs
    }
}

/// A group's name in an address.
fn address(group: Group) -> String {
    group.name().to_lowercase().replace(' ', "-")
}

fn layer(text: &str) -> Option<usize> {
    text.parse().ok().filter(|layer| *layer > 0)
}

#[cfg(test)]
mod tests {
    use super::super::Ending;
    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> Filter {
        let mut filter = Filter::default();
        pairs.iter().for_each(|(name, value)| filter.read(name, value));
        filter
    }

    #[test]
    fn what_is_written_is_read() {
        let at = [None, Some(At::Nowhere), Some(At::Layers(3, 3)), Some(At::Layers(2, 7)), Some(At::Argmax(4))];
        let groups = Group::all().into_iter().chain([Group::Ended(Ending::OneWording)]);
        for (group, at) in groups.flat_map(|group| at.map(|at| (group, at))) {
            for (sort, _) in COLUMNS {
                let filter = Filter { group, at, text: "a & b".into(), sort, falling: at.is_some() };
                let written = filter.written();
                let pairs: Vec<(&str, &str)> = written.iter().map(|(name, value)| (*name, value.as_str())).collect();
                assert_eq!(asked(&pairs), filter, "{pairs:?}");
                assert!(pairs.iter().all(|(name, _)| Filter::NAMES.contains(name)));
            }
        }
        assert!(Filter::default().written().is_empty());
    }

    #[test]
    fn nonsense_changes_nothing() {
        let long = "a".repeat(LONGEST + 1);
        let nonsense = [
            ("find", long.as_str()),
            ("facts", "x"),
            ("peak", "0"),
            ("peak", "9-3"),
            ("peak", "argmax-"),
            ("sort", "colour"),
            ("from", "-1"),
            ("x", "y"),
        ];
        assert_eq!(asked(&nonsense), Filter::default());
    }

    #[test]
    fn old_links_still_lead_somewhere() {
        let old = asked(&[("state", "no-peak"), ("from", "2"), ("to", "5"), ("sort", "-clean")]);
        let wanted = Filter {
            group: Group::NoPeak,
            at: Some(At::Layers(2, 5)),
            sort: SortBy::Clean,
            falling: true,
            ..Filter::default()
        };
        assert_eq!(old, wanted);
        assert_eq!(asked(&[("edited", "1")]).group, Group::Edited);
        assert_eq!(asked(&[("to", "5")]).at, Some(At::Layers(1, 5)));
    }
}
