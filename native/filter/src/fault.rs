//! What is wrong with a filter: where, in words, and what was perhaps meant.

use std::{error, fmt};

/// A place in a filter that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The filter.
    pub input: String,
    /// The first byte that is wrong.
    pub offset: usize,
    /// How many bytes are.
    pub length: usize,
    /// What is wrong with them, and what would be right.
    pub message: String,
}

impl Fault {
    pub(crate) fn new(input: &str, offset: usize, length: usize, message: impl Into<String>) -> Self {
        Self { input: input.to_owned(), offset, length, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.input.is_empty() {
            return out.write_str(&self.message); // of the whole, which is too long to be shown
        }
        // One line, whatever was typed; the caret stands under characters, not bytes.
        let shown = |text: &str| -> String { text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect() };
        let before = self.input.get(..self.offset).unwrap_or_default().chars().count();
        let end = self.offset.saturating_add(self.length).min(self.input.len());
        let marked = self.input.get(self.offset..end).unwrap_or_default().chars().count().max(1);
        let (caret, line) = ("^".repeat(marked), shown(&self.input));
        write!(out, "{}\n  {line}\n  {}{caret}", shown(&self.message), " ".repeat(before))
    }
}

impl error::Error for Fault {}

/// The nearest of these words, when it is near: two letters off at most, and less than half of it.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(32).collect();
    known
        .map(|other| (distance(&word, other), other))
        .filter(|(distance, other)| *distance <= 2 && distance * 2 < other.len().max(2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

/// Letters put in, left out, changed, or two that changed places.
fn distance(word: &[char], other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut rows: Vec<Vec<usize>> = (0..=word.len()).map(|at| (at..=at + other.len()).collect()).collect();
    for i in 1..=word.len() {
        for j in 1..=other.len() {
            let same = usize::from(word[i - 1] != other[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + same);
            if i > 1 && j > 1 && word[i - 1] == other[j - 2] && word[i - 2] == other[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[word.len()][other.len()]
}
