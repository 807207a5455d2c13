//! A crash-safe flight recorder. A process writes records of 32 bytes into rings that are files, one pair a thread;
//! another process reads them, while the first one runs or after it died; neither waits for the other. What could not
//! be recorded is counted with its reason. This crate must never print, panic or block in a caller's hot path.

mod ancestry;
pub mod block;
pub mod clock;
pub mod dictionary;
pub mod drain;
mod gate;
pub mod header;
mod hot;
pub mod kind;
pub mod kinds;
mod lanes;
mod mapping;
mod numbers;
mod own_file;
mod pairing;
pub mod payload;
mod place;
mod problem;
pub mod reader;
mod registry;
pub mod ring;
pub mod row;
#[cfg(test)]
mod scratch;
pub mod secrets;
pub mod segment;
mod settings;
pub mod strings;
mod system;
mod taking;
mod told;
pub mod verify;
mod waiting;
mod wide;

pub use ancestry::inherited_scenario;
pub use kind::{Home, Kind};
pub use problem::{Problem, REASONS, Reason, Result};
pub use registry::{Lane, Registry, name_threads_by};
pub use ring::Record;
pub use row::{Column, Row};
pub use settings::Settings;
pub use strings::Tag;
pub use system::ProcessId;
pub use told::{RING_VARIABLE, RINGS_VARIABLE, SCENARIO_VARIABLE, SCENARIOS_VARIABLE};

/// The version of the crate, that of the whole workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
