//! Payloads: fields with values inside one string, for what does not fit into a record's two numbers. Each field is
//! `length u8 | name | length u32 | value`; a reader keeps what is whole and ignores the rest.

/// The fields of a payload, up to the first that is not whole.
#[derive(Clone, Debug)]
pub struct Fields<'a>(&'a [u8]);

/// Reads a payload.
pub fn fields(bytes: &[u8]) -> Fields<'_> {
    Fields(bytes)
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        self.0 = rest;
        Some((name, value))
    }
}

/// The value of a field.
pub fn field<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    fields(bytes).find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
}

/// Appends a field; a name is cut at 255 bytes.
pub fn put(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    let name = &name.as_bytes()[..name.len().min(255)];
    let value = &value[..value.len().min(u32::MAX as usize)];
    out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(name);
    out.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(value);
}

/// Appends a number, as digits.
pub fn put_number(out: &mut Vec<u8>, name: &str, value: u64) {
    put(out, name, value.to_string().as_bytes());
}

/// A number among the fields.
pub fn number(bytes: &[u8], name: &str) -> Option<u64> {
    std::str::from_utf8(field(bytes, name)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload__cut_anywhere__then_only_whole_fields() {
        let mut bytes = Vec::new();
        put(&mut bytes, "text", b"hello");
        let first = bytes.len();
        put_number(&mut bytes, "line", 12);
        assert_eq!(field(&bytes, "text"), Some(&b"hello"[..]));
        assert_eq!((number(&bytes, "line"), number(&bytes, "text"), field(&bytes, "no")), (Some(12), None, None));
        for end in 0..bytes.len() {
            assert_eq!(fields(&bytes[..end]).count(), usize::from(end >= first));
        }
    }
}
