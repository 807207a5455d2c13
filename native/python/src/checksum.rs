//! The checksum of the link's frames.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The CRC-32 of a part of some bytes, as `zlib.crc32` has it; `ValueError` where there is no such part.
#[pyfunction]
pub(crate) fn crc32(data: &[u8], start: usize, end: usize) -> PyResult<u32> {
    let part = data.get(start..end).ok_or_else(|| PyValueError::new_err("no such part"))?;
    Ok(crc32fast::hash(part))
}
