//! A filter in pieces: words, parentheses, and where they stand. A word ends at a space or a parenthesis, unless it is
//! quoted, or the parenthesis belongs to it (`kind:(enter,exit)`, `@fail(…)`).

use crate::fault::Fault;

/// A piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Open,
    Close,
    Minus,
    Word,
}

/// A piece with its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) piece: Piece,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

pub(crate) fn tokens(input: &str) -> Result<Vec<Token>, Fault> {
    let bytes = input.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let piece = match bytes[at] {
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            b'(' => Piece::Open,
            b')' => Piece::Close,
            b'|' => return Err(Fault::new(input, at, 1, "a filter ends here; stages belong to queries")),
            b'-' if bytes.get(at + 1).is_some_and(|next| !next.is_ascii_whitespace() && *next != b')') => Piece::Minus,
            _ => {
                at = word(input, at)?;
                Piece::Word
            }
        };
        at = at.max(start + 1);
        found.push(Token { piece, start, end: at });
    }
    Ok(found)
}

/// The end of the word that starts here.
fn word(input: &str, start: usize) -> Result<usize, Fault> {
    let bytes = input.as_bytes();
    let mut at = start;
    let mut depth = 0_usize;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = quoted(input, at)?,
            b'(' => depth += 1,
            b')' if depth == 0 => break,
            b')' => depth -= 1,
            b'|' if depth == 0 && !has_regex(&bytes[start..at]) => break,
            byte if byte.is_ascii_whitespace() && depth == 0 => break,
            _ => {}
        }
        at += 1;
    }
    if depth > 0 {
        return Err(Fault::new(input, start, at - start, "a parenthesis in this word is not closed"));
    }
    Ok(at)
}

/// Whether what comes is part of a regular expression.
fn has_regex(before: &[u8]) -> bool {
    before.contains(&b'~')
}

/// The last byte of a quoted part.
fn quoted(input: &str, start: usize) -> Result<usize, Fault> {
    let bytes = input.as_bytes();
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return Ok(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    Err(Fault::new(input, start, input.len() - start, "a quote is not closed"))
}

/// A word without its quotes, and whether any part of it was quoted.
pub(crate) fn unquoted(word: &str) -> (String, bool) {
    if !word.contains('"') {
        return (word.to_owned(), false);
    }
    let mut out = String::with_capacity(word.len());
    let (mut inside, mut letters) = (false, word.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '"' => inside = !inside,
            '\\' if inside => out.extend(letters.next()),
            _ => out.push(letter),
        }
    }
    (out, true)
}
