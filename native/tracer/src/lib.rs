//! What a program or a test records with. A `Tracer` is a cheap handle on a registry: recording goes straight into the
//! ring of the calling thread, and questions are answered from what is still in the rings.

mod asynchronous;
mod event;
#[cfg(feature = "tracing")]
mod layer;
mod tracer;

pub use asynchronous::AsyncTracer;
pub use event::{Event, Name, Recorded, TimeRange};
#[cfg(feature = "tracing")]
pub use layer::TraceLayer;
pub use tracer::{Span, Tracer};
pub use tracer_backend::{Problem, Reason, Registry, Result, Settings};

/// The version of the crate, that of the whole workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
