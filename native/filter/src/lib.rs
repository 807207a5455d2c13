//! The filter language: the same words in a pane, on the command line and for assistants.
//!
//! Terms one after the other must all hold; `or`, `not` (or `-`) and parentheses as usual. A term is a field with an
//! operator and a value (`dur>10ms`, `kind:enter,exit`, `name~^test_`, `t:+1s..+2s`), a moment (`@fail(-50ms..+10ms)`),
//! or a bare word, which is looked for in kind, level, name and message.
//!
//! Text and regular expressions are held against each string of a trace once and become sets of numbers; no row is ever
//! shown to one. Every step is linear in what it is given, and nothing in here panics whatever is typed.
//!
//! ```
//! let filter = tracekit_filter::parse("error -name:health* dur>10ms").unwrap();
//! assert_eq!(filter.to_string(), "error not name:health* dur>10ms");
//!
//! let fault = tracekit_filter::parse("durr>10ms").unwrap_err();
//! assert_eq!(fault.to_string(), "no field durr; did you mean dur?\n  durr>10ms\n  ^^^^");
//! ```

mod bind;
mod block;
mod fault;
#[cfg(feature = "journal")]
pub mod journal;
mod lexer;
mod matcher;
mod parser;
mod row;
mod spoken;
mod term;
mod value;

pub use bind::{Bound, Context, bind};
pub use block::Selection;
pub use fault::Fault;
pub use matcher::Memo;
pub use parser::{MAX_BYTES, MAX_DEPTH, parse};
pub use row::{Fact, Given};
pub use term::{Field, Filter, Operator, Term, Test};

/// The version of the crate, that of the whole workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
