//! One character at a time out of bytes that may be anything. A wrong sequence is as long as Unicode recommends
//! (the longest prefix that could have become a character), except that an encoded surrogate counts as one.

/// What stands at the beginning of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// A character and its length in bytes.
    Char(char, usize),
    /// So many bytes that are no character; never 0.
    Broken(usize),
}

/// Decodes the beginning of `bytes`, which must not be empty.
pub(crate) fn decode(bytes: &[u8]) -> Decoded {
    let lead = bytes[0];
    let (length, initial, second) = match lead {
        0x00..=0x7f => return Decoded::Char(char::from(lead), 1),
        0xc2..=0xdf => (2, lead & 0x1f, 0x80..=0xbf),
        0xe0 => (3, lead & 0x0f, 0xa0..=0xbf),
        0xe1..=0xef => (3, lead & 0x0f, 0x80..=0xbf),
        0xf0 => (4, lead & 0x07, 0x90..=0xbf),
        0xf1..=0xf3 => (4, lead & 0x07, 0x80..=0xbf),
        0xf4 => (4, lead & 0x07, 0x80..=0x8f),
        _ => return Decoded::Broken(1),
    };
    let mut value = u32::from(initial);
    for at in 1..length {
        match bytes.get(at) {
            Some(&byte) if (at > 1 && byte & 0xc0 == 0x80) || (at == 1 && second.contains(&byte)) => {
                value = value << 6 | u32::from(byte & 0x3f);
            }
            _ => return Decoded::Broken(at),
        }
    }
    // Only an encoded surrogate gets here without being a character: Python's own strings may hold them.
    char::from_u32(value).map_or(Decoded::Broken(length), |c| Decoded::Char(c, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode__every_character__then_itself() {
        for c in '\0'..=char::MAX {
            let mut buffer = [0; 4];
            let bytes = c.encode_utf8(&mut buffer).as_bytes();
            assert_eq!(decode(bytes), Decoded::Char(c, bytes.len()));
        }
    }

    #[test]
    fn decode__broken__then_as_long_as_the_standard_library_says() {
        for first in 0x80..=0xff_u8 {
            for second in [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2, 0xff] {
                for third in [0x00, 0x80, 0xbf, 0xf0] {
                    let bytes = [first, second, third];
                    let Err(error) = std::str::from_utf8(&bytes) else { continue };
                    if error.valid_up_to() > 0 {
                        continue;
                    }
                    let expected = error.error_len().unwrap_or(bytes.len());
                    let surrogate = first == 0xed && second >= 0xa0 && second & 0xc0 == 0x80;
                    match decode(&bytes) {
                        Decoded::Broken(length) if surrogate => assert!(length == 3 || third & 0xc0 != 0x80),
                        decoded => assert_eq!(decoded, Decoded::Broken(expected), "{bytes:x?}"),
                    }
                }
            }
        }
    }
}
