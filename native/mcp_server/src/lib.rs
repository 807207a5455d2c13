//! What an assistant may ask of a trace, over the Model Context Protocol, by the protocol's own SDK. What tests and
//! programs wrote is text from outside: it goes out safe, a fact a line, fenced and labelled, and is never an instruction.

mod answer;
mod server;

pub use answer::{Answer, QUERIES, UnknownQuery};
pub use server::Server;

/// The version of the crate, that of the whole workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
