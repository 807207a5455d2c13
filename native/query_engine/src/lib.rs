//! Answers about a trace, from its blocks: what the console, the command line and assistants ask. It reads a trace while
//! it grows and after its writer died, never holds all of it, and never writes; the filter of a question stands in its
//! own crate.

mod folding;
mod journal;
mod told;
mod view;
mod within;

pub use folding::{Folded, Moment, Stretch};
pub use journal::JournalView;
pub use told::Told;
pub use view::{LaneTold, View};
pub use within::Within;

/// The version of the crate, that of the whole workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
