//! The checksum of the link's frames, for the agent: what its interpreter brings takes twenty times as long.

use crate::python::api::{Ref, api, kind_of};

/// `crc32(data, start, end, before)`: the CRC-32 of a part of some bytes behind what has the CRC-32 `before`.
pub(crate) extern "C" fn crc32(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return std::ptr::null_mut() };
    let given = api.arguments(arguments, count);
    let place = |at: usize| usize::try_from(api.number_in(given, at)).unwrap_or(usize::MAX);
    let part = given
        .first()
        .filter(|data| kind_of(**data) == api.bytes_type)
        .and_then(|data| api.lent(*data).get(place(1)..place(2)));
    match (part, u32::try_from(api.number_in(given, 3))) {
        (Some(part), Ok(before)) => {
            let mut hasher = crc32fast::Hasher::new_with_initial(before);
            hasher.update(part);
            (api.new_number)(hasher.finalize().into())
        }
        _ => api.fail(api.value_error, "no such part of any bytes"),
    }
}
