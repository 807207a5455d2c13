//! A server that answers about a live tracer.

use tracer::Event;

include!("fragments/async_components.rs");
