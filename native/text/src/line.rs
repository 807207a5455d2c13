//! Lines of bytes in, lines of safe text out. `lines` is for output: it cuts at line feeds, carries an open style
//! from line to line and lets a carriage return write over, as a terminal would. `line` is for names and messages:
//! they are one line, in which a line feed or carriage return is a control like any other.

use crate::decode::{Decoded, decode};
use crate::glyph::{BROKEN, Glyph, INVISIBLE, LONE_MARK, glyph, picture_of_c0, selects};
use crate::row::Row;
use crate::style::{Style, sgr_parameters};
use crate::{MAX_COLUMNS, Safe};

const TAB: usize = 8;
const ESCAPE: u8 = 0x1b;

/// The bytes as one safe line of at most `max_columns` columns (at least 1, at most [`MAX_COLUMNS`]).
pub fn line(bytes: &[u8], max_columns: usize) -> Safe {
    let mut writer = Writer::new(max_columns, false);
    writer.line(bytes)
}

/// The bytes as safe lines of at most `max_columns` columns each (at least 1, at most [`MAX_COLUMNS`]). What follows
/// the last line feed is a line unless it is empty.
pub fn lines(bytes: &[u8], max_columns: usize) -> Lines<'_> {
    Lines { rest: bytes, writer: Writer::new(max_columns, true) }
}

/// The lines of some output, made one by one.
pub struct Lines<'a> {
    rest: &'a [u8],
    writer: Writer,
}

impl Iterator for Lines<'_> {
    type Item = Safe;

    fn next(&mut self) -> Option<Safe> {
        if self.rest.is_empty() {
            return None;
        }
        let (line, rest) = match self.rest.iter().position(|byte| *byte == b'\n') {
            Some(at) => (&self.rest[..at], &self.rest[at + 1..]),
            None => (self.rest, &[][..]),
        };
        self.rest = rest;
        Some(self.writer.line(line.strip_suffix(b"\r").unwrap_or(line)))
    }
}

struct Writer {
    row: Row,
    style: Style,
    columns: usize,
    /// Whether a carriage return goes back to the first column.
    returns: bool,
    pictured: u64,
    removed: u64,
}

impl Writer {
    fn new(max_columns: usize, returns: bool) -> Self {
        let columns = max_columns.clamp(1, MAX_COLUMNS);
        Self { row: Row::new(columns), style: Style::default(), columns, returns, pictured: 0, removed: 0 }
    }

    fn line(&mut self, bytes: &[u8]) -> Safe {
        if self.style.is_plain()
            && let Some(safe) = self.plain(bytes)
        {
            return safe;
        }
        self.row.clear();
        self.pictured = 0;
        self.removed = 0;
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self.step(rest);
            rest = &rest[taken..];
        }
        Safe { pictured: self.pictured, removed: self.removed, ..self.row.finish() }
    }

    /// Most lines are printable ASCII and need no cells.
    fn plain(&self, bytes: &[u8]) -> Option<Safe> {
        if !bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            return None;
        }
        let shown = &bytes[..bytes.len().min(self.columns)];
        let text = std::str::from_utf8(shown).ok()?.to_owned();
        Some(Safe { text, columns: shown.len(), cut: (bytes.len() - shown.len()) as u64, ..Safe::default() })
    }

    /// Handles what stands at the beginning of the bytes and says how many they were.
    fn step(&mut self, bytes: &[u8]) -> usize {
        match bytes[0] {
            byte @ b' '..=b'~' => self.row.put(char::from(byte), 1, self.style),
            b'\t' => self.tab(),
            b'\r' if self.returns => self.row.carriage_return(),
            ESCAPE => return self.escape(bytes),
            byte @ 0x00..=0x1f => self.picture(picture_of_c0(char::from(byte))),
            _ => match decode(bytes) {
                Decoded::Char(c, length) => {
                    self.character(c);
                    return length;
                }
                Decoded::Broken(length) => {
                    self.picture(BROKEN);
                    return length;
                }
            },
        }
        1
    }

    fn tab(&mut self) {
        for _ in 0..TAB - self.row.cursor() % TAB {
            self.row.pass(self.style);
        }
    }

    /// An SGR changes the style. A line erased next to a carriage return is how progress bars are drawn. Any other
    /// sequence loses its escape to a picture and stays readable: nothing is swallowed, not even by an unfinished one.
    fn escape(&mut self, bytes: &[u8]) -> usize {
        if let Some(parameters) = bytes.strip_prefix(b"\x1b[") {
            if let Some(length) = sgr_parameters(parameters) {
                self.style.apply(&parameters[..length]);
                return length + 3;
            }
            if let Some(length) = self.erase(parameters) {
                self.row.erase();
                return length + 2;
            }
        }
        self.picture(picture_of_c0('\x1b'));
        1
    }

    fn erase(&self, parameters: &[u8]) -> Option<usize> {
        match parameters {
            [b'K', ..] if self.row.has_returned() => Some(1),
            [b'0' | b'2', b'K', ..] if self.row.has_returned() => Some(2),
            [b'2', b'K', b'\r', ..] if self.returns => Some(2),
            _ => None,
        }
    }

    fn character(&mut self, c: char) {
        match glyph(c) {
            Glyph::Base(width) => self.row.put(c, width, self.style),
            Glyph::Picture(picture) => self.picture(picture),
            Glyph::Mark => {
                if !self.row.join(c) {
                    self.picture(LONE_MARK);
                }
            }
            Glyph::Selector => match self.row.base() {
                Some(base) if selects(c, base) => self.remove(),
                _ => self.picture(INVISIBLE),
            },
        }
    }

    fn picture(&mut self, picture: char) {
        self.pictured += 1;
        self.row.put_picture(picture, self.style);
    }

    /// Leaves out what belongs to the character before it; a second one has nothing to belong to.
    fn remove(&mut self) {
        self.removed += 1;
        self.row.close();
    }
}
