//! `tracekit._native`: the console's native face. It turns Python values into the crates' and back, and decides
//! nothing itself.

mod box_library;
mod checksum;
mod packing;
mod text;
mod trace;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::box_library::{box_library, box_target};
    #[pymodule_export]
    use crate::checksum::crc32;
    #[pymodule_export]
    use crate::packing::{Packer, Unpacker, packed_size};
    #[pymodule_export]
    use crate::text::{Safe, safe, safe_lines};
    #[pymodule_export]
    use crate::trace::{Event, TraceView, recover_trace, verify_trace};

    #[pymodule_export]
    const DEFAULT_COLUMNS: usize = tracekit_text::DEFAULT_COLUMNS;
    #[pymodule_export]
    const MAX_COLUMNS: usize = tracekit_text::MAX_COLUMNS;
    #[pymodule_export]
    const PACKED_HEAD: usize = tracekit_packing::HEAD;
    #[pymodule_export]
    const VERSION: &str = tracekit_text::VERSION;
}
