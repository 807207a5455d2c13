//! The checksum of the link's frames.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The CRC-32 of a part of some bytes behind what has the CRC-32 `before`, as `zlib.crc32` has it; `ValueError` where
/// there is no such part.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // it is held for as long as it is read, and let go of here
#[pyo3(signature = (data, start, end, before=0))]
pub(crate) fn crc32(data: PyBuffer<u8>, start: usize, end: usize, before: u32) -> PyResult<u32> {
    if !data.is_c_contiguous() {
        return Err(PyValueError::new_err("the bytes do not lie in one piece"));
    }
    let bytes = match data.len_bytes() {
        0 => &[],
        // SAFETY: so many bytes lie there for as long as the buffer is held, and who could write to them waits for the
        // interpreter's lock, which we have.
        size => unsafe { std::slice::from_raw_parts(data.buf_ptr().cast::<u8>(), size) },
    };
    let part = bytes.get(start..end).ok_or_else(|| PyValueError::new_err("no such part"))?;
    let mut hasher = crc32fast::Hasher::new_with_initial(before);
    hasher.update(part);
    Ok(hasher.finalize())
}
