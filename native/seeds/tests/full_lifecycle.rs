//! A tracer over a backend of its own.

use tracer::{Event, TimeRange};

include!("fragments/full_lifecycle.rs");
