//! Numbers as people write them: plain, with a unit of time, from the beginning, and ranges of these.

/// A number, and whether it was counted from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) value: i128,
    pub(crate) relative: bool,
}

const UNITS: [(&str, i128); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a number. One with a sign counts from somewhere; one with a unit is a time.
pub(crate) fn number(text: &str) -> Option<Number> {
    let (negative, rest, relative) = match text.as_bytes().first()? {
        b'+' => (false, &text[1..], true),
        b'-' => (true, &text[1..], true),
        _ => (false, text, false),
    };
    let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.' && letter != '_')?.min(rest.len());
    let value = scaled(&rest[..end], UNITS.iter().find(|(unit, _)| *unit == &rest[end..])?.1)?;
    Some(Number { value: if negative { -value } else { value }, relative })
}

/// Whether a number says what it counts.
pub(crate) fn with_unit(text: &str) -> bool {
    number(text).is_some()
}

/// As `number`, where a unit is not needed.
pub(crate) fn plain_or_unit(text: &str) -> Option<Number> {
    number(text).or_else(|| {
        let (negative, rest, relative) = match text.as_bytes().first()? {
            b'+' => (false, &text[1..], true),
            b'-' => (true, &text[1..], true),
            _ => (false, text, false),
        };
        let value = match rest.strip_prefix("0x") {
            Some(digits) if !digits.starts_with(['+', '-']) => i128::from(u64::from_str_radix(digits, 16).ok()?),
            _ => scaled(rest, 1)?,
        };
        Some(Number { value: if negative { -value } else { value }, relative })
    })
}

/// Digits with at most one point, times a unit; what is smaller than one is left out.
fn scaled(digits: &str, unit: i128) -> Option<i128> {
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let only_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    if !only_digits(whole) || !only_digits(part) || (whole.is_empty() && part.is_empty()) {
        return None;
    }
    let clean = |text: &str| text.replace('_', "");
    let whole = clean(whole);
    if whole.len() > 24 {
        return None;
    }
    let mut value = if whole.is_empty() { 0 } else { whole.parse::<i128>().ok()?.checked_mul(unit)? };
    let mut place = unit;
    for digit in clean(part).bytes().take(18) {
        place /= 10;
        value += i128::from(digit - b'0') * place;
    }
    Some(value)
}

/// The two ends of `a..b`, `a..`, `..b`; nothing where there is no range.
pub(crate) fn ends(text: &str) -> Option<(&str, &str)> {
    text.split_once("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number__as_people_write_it__then_nanoseconds() {
        let read = |text| plain_or_unit(text).map(|number| (number.value, number.relative));
        assert_eq!(read("10ms"), Some((10_000_000, false)));
        assert_eq!(read("+1.2s"), Some((1_200_000_000, true)));
        assert_eq!(read("-50us"), Some((-50_000, true)));
        assert_eq!(read("1_000"), Some((1000, false)));
        assert_eq!(read("0xff"), Some((255, false)));
        assert_eq!(read(".5s"), Some((500_000_000, false)));
        assert_eq!(read("2h"), Some((7_200_000_000_000, false)));
        for wrong in
            ["", "-", "+", ".", "1.2.3", "10 ms", "ms", "1e9", "0x", "0x+1", "--1", "\u{663}", "9".repeat(40).as_str()]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
