//! Tests of text, compiled once. Each is linear in the text: globs go back to their last star only, and the engine of
//! regular expressions has no backtracking.

use std::collections::HashMap;

use regex_lite::{Regex, RegexBuilder};

use crate::term::Test;

/// The least and the most memory that is given to a compiled expression.
const LEAST_REGEX: usize = 1 << 10;
const MOST_REGEX: usize = 1 << 18;
/// What all expressions of a filter may take, compiled and while they are held against a text.
pub(crate) const REGEX_BYTES: usize = 1 << 19;
/// Texts that a memo keeps answers for.
const REMEMBERED: usize = 1 << 14;

/// A test of text.
#[derive(Clone, Debug)]
pub(crate) enum Matcher {
    Globs(Vec<Vec<char>>),
    Exactly(String),
    Regex(Regex),
    Holds(String),
    /// A test of numbers, which no text passes.
    Never,
}

fn compiled(pattern: &str, most: usize) -> Result<Regex, regex_lite::Error> {
    RegexBuilder::new(pattern).size_limit(most).nest_limit(64).build()
}

/// What an expression takes at most, in all. The engine remembers for each of its states where every group began, so
/// that a short expression with many groups takes much more than its own length.
pub(crate) fn cost_of_regex(pattern: &str) -> Result<usize, String> {
    let whole = compiled(pattern, MOST_REGEX).map_err(|cause| cause.to_string())?;
    let groups = whole.captures_len();
    drop(whole);
    let mut size = LEAST_REGEX;
    while size < MOST_REGEX && compiled(pattern, size).is_err() {
        size *= 2;
    }
    Ok(size.saturating_mul(groups + 2))
}

impl Matcher {
    pub(crate) fn new(test: &Test) -> Self {
        match test {
            Test::Globs(globs) => Self::Globs(globs.iter().map(|glob| glob.to_lowercase().chars().collect()).collect()),
            Test::Exactly(wanted) => Self::Exactly(wanted.clone()),
            Test::Holds(wanted) => Self::Holds(wanted.to_lowercase()),
            Test::Regex(pattern) => compiled(pattern, MOST_REGEX).map_or(Self::Never, Self::Regex),
            Test::Between(..) | Test::Since(..) | Test::Failure(..) => Self::Never,
        }
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Globs(globs) => {
                let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
                globs.iter().any(|glob| matches_glob(glob, &text))
            }
            Self::Exactly(wanted) => wanted == text,
            Self::Regex(regex) => regex.is_match(text),
            Self::Holds(wanted) => text.to_lowercase().contains(wanted.as_str()),
            Self::Never => false,
        }
    }
}

/// `*` is any text, `?` any character.
fn matches_glob(glob: &[char], text: &[char]) -> bool {
    let (mut at, mut here) = (0, 0);
    let mut star = None;
    while here < text.len() {
        match glob.get(at) {
            Some('*') => {
                star = Some((at, here));
                at += 1;
            }
            Some(letter) if *letter == '?' || *letter == text[here] => {
                at += 1;
                here += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                (at, here) = (star_at + 1, taken + 1);
                star = Some((star_at, taken + 1));
            }
        }
    }
    glob[at..].iter().all(|letter| *letter == '*')
}

/// Answers about texts that were asked before: of a journal's lines, each distinct text meets a test once.
#[derive(Debug, Default)]
pub struct Memo {
    filter: u64,
    known: HashMap<(usize, Box<str>), bool>,
}

impl Memo {
    /// Answers are those of one filter; another one begins anew.
    pub(crate) fn belongs_to(&mut self, filter: u64) {
        if self.filter != filter {
            self.known.clear();
            self.filter = filter;
        }
    }

    pub(crate) fn matches(&mut self, number: usize, matcher: &Matcher, text: &str) -> bool {
        if text.len() > 1024 {
            return matcher.matches(text);
        }
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        *self.known.entry((number, text.into())).or_insert_with(|| matcher.matches(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glob__stars_and_marks__then_whole_texts_of_either_case() {
        let matches = |glob: &str, text: &str| Matcher::new(&Test::Globs(vec![glob.to_owned()])).matches(text);
        for (glob, text) in [("*", ""), ("a*c", "abbc"), ("A?C", "aBc"), ("*b*", "abc"), ("stra\u{df}e", "STRA\u{df}E")]
        {
            assert!(matches(glob, text), "{glob} {text}");
        }
        for (glob, text) in [("a", "ab"), ("?", ""), ("a*c", "abcd"), ("", "a"), ("**a", "b")] {
            assert!(!matches(glob, text), "{glob} {text}");
        }
    }

    #[test]
    fn glob__made_to_go_back__then_still_quick() {
        let glob = "*a".repeat(500);
        let text = "a".repeat(20_000) + "b";
        assert!(!Matcher::new(&Test::Globs(vec![glob])).matches(&text));
    }
}
