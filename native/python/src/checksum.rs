//! The checksum of the link's frames.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The CRC-32 of a part of some bytes behind what has the CRC-32 `before`, as `zlib.crc32` has it; `ValueError` where
/// there is no such part.
#[pyfunction]
#[pyo3(signature = (data, start, end, before=0))]
pub(crate) fn crc32(data: &[u8], start: usize, end: usize, before: u32) -> PyResult<u32> {
    let part = data.get(start..end).ok_or_else(|| PyValueError::new_err("no such part"))?;
    let mut hasher = crc32fast::Hasher::new_with_initial(before);
    hasher.update(part);
    Ok(hasher.finalize())
}
