//! Answers about a trace, from its blocks: what the console, the command line and assistants ask. So far it holds the
//! version that binds it to the other crates; the filter of a question stands in its own crate.

/// The version of the crate, that of the whole workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
