//! Values by host pattern, with a lookup of the most specific pattern that matches a name.

use std::collections::HashMap;

/// Values by host pattern. Patterns and names are in lower case.
#[derive(Debug, Clone)]
pub struct HostIndex<T> {
    exact: HashMap<String, T>,
    /// By suffix, without the leading `*`.
    wild: HashMap<String, T>,
    /// The lengths of the suffixes, longest first.
    lengths: Vec<usize>,
}

impl<T> Default for HostIndex<T> {
    fn default() -> HostIndex<T> {
        HostIndex {
            exact: HashMap::new(),
            wild: HashMap::new(),
            lengths: Vec::new(),
        }
    }
}

impl<T> HostIndex<T> {
    /// The value of exactly this pattern, created first if there is none.
    pub fn at(&mut self, pattern: &str, make: impl FnOnce() -> T) -> &mut T {
        let Some(suffix) = pattern.strip_prefix('*') else {
            return self.exact.entry(pattern.to_owned()).or_insert_with(make);
        };
        if let Err(place) = self
            .lengths
            .binary_search_by(|length| suffix.len().cmp(length))
        {
            self.lengths.insert(place, suffix.len());
        }
        self.wild.entry(suffix.to_owned()).or_insert_with(make)
    }

    /// The value of the most specific pattern that matches `name`: the name itself, otherwise the longest wildcard.
    pub fn find(&self, name: &str) -> Option<&T> {
        self.find_where(name, |_| true)
    }

    /// [`HostIndex::find`] among the values that count.
    pub fn find_where(&self, name: &str, counts: impl Fn(&T) -> bool) -> Option<&T> {
        if let Some(found) = self.exact.get(name).filter(|found| counts(found)) {
            return Some(found);
        }
        let name = name.trim_start_matches('*');
        let fits = self.lengths.iter().filter(|length| **length <= name.len());
        let suffixes = fits.filter_map(|length| name.get(name.len() - length..));
        let mut found = suffixes.filter_map(|suffix| self.wild.get(suffix));
        found.find(|found| counts(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_pattern_is_found() {
        let mut index = HostIndex::default();
        for pattern in ["example.com", "*.example.com", "*.com"] {
            index.at(pattern, || pattern);
        }
        // (name, pattern)
        let cases = [
            ("example.com", Some("example.com")),
            ("www.example.com", Some("*.example.com")),
            ("*.example.com", Some("*.example.com")),
            ("*.b.example.com", Some("*.example.com")),
            ("example.org", None),
            ("other.com", Some("*.com")),
            ("é.com", Some("*.com")),
        ];
        for (name, pattern) in cases {
            assert_eq!(index.find(name).copied(), pattern, "{name}");
        }
        index.at("*", || "*");
        assert_eq!(index.find("example.org").copied(), Some("*"));
    }
}
