//! One row of cells, as a terminal keeps it: characters take one or two cells, marks join the character before
//! them, and a carriage return lets what follows write over what was there.

use crate::style::Style;
use crate::{Safe, Span};

/// Marks on one character; real scripts need no more, floods of them draw over their neighbours.
const MAX_MARKS: usize = 4;
const NONE: char = '\0';

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A character that marks may join.
    Open,
    /// A space or a picture: nothing joins it.
    Closed,
    /// The first half of a wide character.
    Wide,
    /// The second half of a wide character.
    Tail,
}

#[derive(Clone, Copy)]
struct Cell {
    character: char,
    marks: [char; MAX_MARKS],
    style: Style,
    kind: Kind,
}

/// The character that a mark or selector would belong to; kept beyond the last column, too, so that what is counted
/// does not depend on where the row is cut.
#[derive(Clone, Copy)]
struct Base {
    at: usize,
    character: char,
    is_shown: bool,
    marks: usize,
}

/// The row being written.
pub(crate) struct Row {
    cells: Vec<Cell>,
    columns: usize,
    cursor: usize,
    reached: usize,
    base: Option<Base>,
    returned: bool,
    overwritten: u64,
}

impl Row {
    pub(crate) fn new(columns: usize) -> Self {
        Self { cells: Vec::new(), columns, cursor: 0, reached: 0, base: None, returned: false, overwritten: 0 }
    }

    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(crate) fn clear(&mut self) {
        self.cells.clear();
        self.cursor = 0;
        self.reached = 0;
        self.base = None;
        self.returned = false;
        self.overwritten = 0;
    }

    /// Writes a character that takes one or two cells.
    pub(crate) fn put(&mut self, character: char, width: u8, style: Style) {
        let kind = match (character, width) {
            (' ', _) => Kind::Closed,
            (_, 2) => Kind::Wide,
            _ => Kind::Open,
        };
        self.write(character, kind, style);
    }

    /// Writes a picture: one cell that nothing joins.
    pub(crate) fn put_picture(&mut self, picture: char, style: Style) {
        self.write(picture, Kind::Closed, style);
    }

    /// The character that a mark or selector here would belong to. None at the start and after spaces and pictures.
    pub(crate) fn base(&self) -> Option<char> {
        self.base.map(|base| base.character)
    }

    /// Whether a carriage return was the last thing that moved the cursor.
    pub(crate) fn has_returned(&self) -> bool {
        self.returned && self.cursor == 0
    }

    /// Puts a mark on the character before it, where there is one with room.
    pub(crate) fn join(&mut self, mark: char) -> bool {
        let Some(base) = self.base.as_mut().filter(|base| base.marks < MAX_MARKS) else {
            return false;
        };
        if base.is_shown {
            self.cells[base.at].marks[base.marks] = mark;
        }
        base.marks += 1;
        true
    }

    /// Nothing joins the character before this any more.
    pub(crate) fn close(&mut self) {
        self.base = None;
    }

    /// Moves one column on, as a tab does: over what is there, or with a space where nothing is.
    pub(crate) fn pass(&mut self, style: Style) {
        if self.cursor < self.cells.len() {
            self.cursor += 1;
            self.base = None;
        } else {
            self.put(' ', 1, style);
        }
    }

    pub(crate) fn carriage_return(&mut self) {
        self.cursor = 0;
        self.returned = true;
        self.base = None;
    }

    /// Erases the whole row, as programs do before they draw a progress bar anew.
    pub(crate) fn erase(&mut self) {
        self.overwritten += self.cells.len() as u64;
        self.cells.clear();
        self.cursor = 0;
        self.reached = 0;
        self.base = None;
    }

    fn write(&mut self, character: char, kind: Kind, style: Style) {
        let is_wide = kind == Kind::Wide;
        let at = self.cursor;
        self.cursor = self.cursor.saturating_add(if is_wide { 2 } else { 1 });
        self.reached = self.reached.max(self.cursor);
        let is_shown = self.cursor <= self.columns;
        self.base = (kind != Kind::Closed).then_some(Base { at, character, is_shown, marks: 0 });
        let cell = Cell { character, marks: [NONE; MAX_MARKS], style, kind };
        if is_shown {
            self.store(at, cell);
            if is_wide {
                self.store(at + 1, Cell { character: ' ', kind: Kind::Tail, ..cell });
            }
        } else if at < self.columns {
            self.store(at, Cell { character: ' ', kind: Kind::Closed, ..cell });
        }
    }

    /// Cells are written without gaps, so `at` is at most the length.
    fn store(&mut self, at: usize, cell: Cell) {
        if at == self.cells.len() {
            self.cells.push(cell);
            return;
        }
        self.overwritten += 1;
        if self.cells[at].kind == Kind::Tail && cell.kind != Kind::Tail {
            self.blank(at - 1);
        }
        if self.cells[at].kind == Kind::Wide {
            self.blank(at + 1);
        }
        self.cells[at] = cell;
    }

    /// The other half of a wide character that was written over.
    fn blank(&mut self, at: usize) {
        if let Some(cell) = self.cells.get_mut(at) {
            cell.character = ' ';
            cell.marks = [NONE; MAX_MARKS];
            cell.kind = Kind::Closed;
        }
    }

    /// The row as safe text; the counts of what was met are the caller's.
    pub(crate) fn finish(&self) -> Safe {
        let mut text = String::with_capacity(self.cells.len());
        let mut spans: Vec<Span> = Vec::new();
        let mut length = 0;
        for cell in self.cells.iter().filter(|cell| cell.kind != Kind::Tail) {
            let start = length;
            text.push(cell.character);
            length += 1;
            for mark in cell.marks.into_iter().take_while(|mark| *mark != NONE) {
                text.push(mark);
                length += 1;
            }
            let style = cell.style.worn();
            match spans.last_mut() {
                _ if style.is_plain() => {}
                Some(span) if span.end == start && span.style == style => span.end = length,
                _ => spans.push(Span { start, end: length, style }),
            }
        }
        Safe {
            text,
            spans,
            columns: self.cells.len(),
            overwritten: self.overwritten,
            cut: self.reached.saturating_sub(self.columns) as u64,
            ..Safe::default()
        }
    }
}
