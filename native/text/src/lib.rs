//! The sanitiser: bytes from anywhere become lines of safe text and style spans. What comes out holds printable
//! cells only: colours and weights (SGR) become spans, tabs become spaces, and every other control, invisible or
//! broken thing becomes a picture one cell wide, so that nothing hides and nothing reaches a terminal. It never
//! fails and never panics, takes time linear in its input, and keeps at most one line in memory.
//!
//! ```
//! let safe = tracekit_text::line(b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07", 80);
//! assert_eq!(safe.text, "red ␛]0;title␇");
//! assert_eq!(safe.spans[0].style.words(), "bold red");
//! assert_eq!((safe.columns, safe.pictured, safe.cut), (14, 2, 0));
//! ```

mod decode;
mod glyph;
mod line;
mod row;
mod style;

pub use glyph::{PICTURES, width};
pub use line::{Lines, line, lines};
pub use style::{Colour, Style};

/// The columns of a line where the caller names none.
pub const DEFAULT_COLUMNS: usize = 4096;

/// No line is wider, whatever the caller asks for: it is what bounds the memory of one line.
pub const MAX_COLUMNS: usize = 16_384;

/// The version of the workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// One line that may be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Safe {
    /// Printable characters only.
    pub text: String,
    /// Where the text is styled: in order, not touching each other unless the style differs, never empty.
    pub spans: Vec<Span>,
    /// The cells that the text takes.
    pub columns: usize,
    /// Controls, invisible characters and broken bytes that were met, each shown as a picture (unless cut off).
    pub pictured: u64,
    /// Variation selectors and skin tones left out: they would change the width of the character before them.
    pub removed: u64,
    /// Cells that a carriage return had written over, as progress bars do.
    pub overwritten: u64,
    /// Columns that did not fit.
    pub cut: u64,
}

/// A styled part of a line, in characters of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first character.
    pub start: usize,
    /// One past the last character.
    pub end: usize,
    /// Never the plain style.
    pub style: Style,
}
