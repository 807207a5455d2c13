//! Select Graphic Rendition, the one control that becomes something else than a picture. Blink and conceal are
//! left out on purpose: nothing may hide or move. A colour on itself would hide too, and is not worn.

use std::fmt::Write as _;

/// Longer parameters are no SGR that a program writes.
const MAX_PARAMETERS: usize = 128;

const NAMES: [&str; 8] = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const WEIGHTS: [(u8, &str); 6] = [
    (Style::BOLD, "bold"),
    (Style::DIM, "dim"),
    (Style::ITALIC, "italic"),
    (Style::UNDERLINE, "underline"),
    (Style::REVERSE, "reverse"),
    (Style::STRIKE, "strike"),
];

/// A colour as it was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Colour {
    /// The terminal's own.
    #[default]
    Default,
    /// One of the terminal's 256; the first 16 have names.
    Indexed(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

impl Colour {
    fn words(self, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = match self {
            Self::Default => write!(out, "default"),
            Self::Indexed(n @ 0..=7) => write!(out, "{}", NAMES[usize::from(n)]),
            Self::Indexed(n @ 8..=15) => write!(out, "bright_{}", NAMES[usize::from(n - 8)]),
            Self::Indexed(n) => write!(out, "color({n})"),
            Self::Rgb(red, green, blue) => write!(out, "#{red:02x}{green:02x}{blue:02x}"),
        };
    }

    /// The colour as red, green, blue where that is not the terminal's choice.
    fn fixed(self) -> Self {
        let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
        match self {
            Self::Indexed(n @ 16..=231) => {
                Self::Rgb(level((n - 16) / 36), level((n - 16) / 6 % 6), level((n - 16) % 6))
            }
            Self::Indexed(n @ 232..) => Self::Rgb(8 + 10 * (n - 232), 8 + 10 * (n - 232), 8 + 10 * (n - 232)),
            other => other,
        }
    }
}

/// How text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Style {
    /// The colour of the text.
    pub foreground: Colour,
    /// The colour behind the text.
    pub background: Colour,
    weights: u8,
}

impl Style {
    const BOLD: u8 = 1;
    const DIM: u8 = 2;
    const ITALIC: u8 = 4;
    const UNDERLINE: u8 = 8;
    const REVERSE: u8 = 16;
    const STRIKE: u8 = 32;

    /// Whether nothing was asked for.
    pub fn is_plain(self) -> bool {
        self == Self::default()
    }

    /// The style as words: weights, then the colour, then `on` and the background. Empty for the plain style.
    pub fn words(self) -> String {
        let mut words = String::new();
        for (bit, name) in WEIGHTS {
            if self.weights & bit != 0 {
                words.push_str(name);
                words.push(' ');
            }
        }
        if self.foreground != Colour::Default {
            self.foreground.words(&mut words);
            words.push(' ');
        }
        if self.background != Colour::Default {
            words.push_str("on ");
            self.background.words(&mut words);
        }
        words.truncate(words.trim_end().len());
        words
    }

    /// The same style without a colour on itself.
    pub(crate) fn worn(mut self) -> Self {
        if self.foreground != Colour::Default && self.foreground.fixed() == self.background.fixed() {
            self.foreground = Colour::Default;
            self.background = Colour::Default;
        }
        self
    }

    fn set(&mut self, bit: u8) {
        self.weights |= bit;
    }

    fn unset(&mut self, bits: u8) {
        self.weights &= !bits;
    }

    /// Applies the parameters of one SGR. What it does not know it leaves as it is.
    pub(crate) fn apply(&mut self, parameters: &[u8]) {
        let mut groups = parameters.split(|byte| *byte == b';');
        while let Some(group) = groups.next() {
            let mut parts = group.split(|byte| *byte == b':').map(number);
            match parts.next().unwrap_or(0) {
                0 => *self = Self::default(),
                1 => self.set(Self::BOLD),
                2 => self.set(Self::DIM),
                3 => self.set(Self::ITALIC),
                4 if parts.next() == Some(0) => self.unset(Self::UNDERLINE), // 4:0; 4:1 to 4:5 are its shapes
                4 | 21 => self.set(Self::UNDERLINE),
                7 => self.set(Self::REVERSE),
                9 => self.set(Self::STRIKE),
                22 => self.unset(Self::BOLD | Self::DIM),
                23 => self.unset(Self::ITALIC),
                24 => self.unset(Self::UNDERLINE),
                27 => self.unset(Self::REVERSE),
                29 => self.unset(Self::STRIKE),
                code @ (30..=37 | 90..=97) => self.foreground = named(code % 10, code >= 90),
                code @ (40..=47 | 100..=107) => self.background = named(code % 10, code >= 100),
                39 => self.foreground = Colour::Default,
                49 => self.background = Colour::Default,
                code @ (38 | 48 | 58) => {
                    let colour = if group.contains(&b':') {
                        extended_by_colons(parts)
                    } else {
                        extended_by_semicolons(groups.by_ref().map(number))
                    };
                    match (code, colour) {
                        (38, Some(colour)) => self.foreground = colour,
                        (48, Some(colour)) => self.background = colour,
                        _ => {} // the colour of an underline
                    }
                }
                _ => {}
            }
        }
    }
}

/// The length of the parameters of the SGR whose bytes after `ESC [` these are, or None when it is something else.
pub(crate) fn sgr_parameters(bytes: &[u8]) -> Option<usize> {
    let length = bytes.iter().take(MAX_PARAMETERS + 1).position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'))?;
    (bytes[length] == b'm').then_some(length)
}

fn number(digits: &[u8]) -> u16 {
    digits.iter().fold(0, |value: u16, digit| value.saturating_mul(10).saturating_add(u16::from(digit & 0x0f)))
}

fn named(digit: u16, bright: bool) -> Colour {
    let first = if bright { 8 } else { 0 };
    u8::try_from(digit).map_or(Colour::Default, |digit| Colour::Indexed(digit + first))
}

fn extended_by_semicolons(mut numbers: impl Iterator<Item = u16>) -> Option<Colour> {
    match numbers.next()? {
        5 => indexed(numbers.next()?),
        2 => rgb(numbers.next()?, numbers.next()?, numbers.next()?),
        _ => None,
    }
}

/// `5:n`, `2:r:g:b`, or `2:space:r:g:b`, with whatever may follow.
fn extended_by_colons(numbers: impl Iterator<Item = u16>) -> Option<Colour> {
    let mut parts = [0; 6];
    let mut length = 0;
    for (slot, value) in parts.iter_mut().zip(numbers) {
        *slot = value;
        length += 1;
    }
    match (parts[0], length) {
        (5, 2..) => indexed(parts[1]),
        (2, 4) => rgb(parts[1], parts[2], parts[3]),
        (2, 5..) => rgb(parts[2], parts[3], parts[4]),
        _ => None,
    }
}

fn indexed(n: u16) -> Option<Colour> {
    u8::try_from(n).ok().map(Colour::Indexed)
}

fn rgb(red: u16, green: u16, blue: u16) -> Option<Colour> {
    Some(Colour::Rgb(u8::try_from(red).ok()?, u8::try_from(green).ok()?, u8::try_from(blue).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(parameters: &str) -> String {
        let mut style = Style::default();
        style.apply(parameters.as_bytes());
        style.worn().words()
    }

    #[test]
    fn apply__each_form__then_words() {
        for (parameters, expected) in [
            ("", ""),
            ("1", "bold"),
            ("1;2;3;4;7;9", "bold dim italic underline reverse strike"),
            ("1;2;22", ""),
            ("3;4;7;9;23;24;27;29", ""),
            ("31", "red"),
            ("97;100", "bright_white on bright_black"),
            ("31;39", ""),
            ("41;49", ""),
            ("1;31;0", ""),
            ("1;;4", "underline"),
            ("38;5;3", "yellow"),
            ("38;5;208", "color(208)"),
            ("48;2;1;2;255;1", "bold on #0102ff"),
            ("38:2:1:2:3", "#010203"),
            ("38:2::1:2:3", "#010203"),
            ("48:5:99", "on color(99)"),
            ("4:3", "underline"),
            ("4;4:0", ""),
            ("21", "underline"),
            ("58;5;9;1", "bold"),
            ("58:2::1:2:3;1", "bold"),
            ("5;8;53;200;99999999999999999999", ""),
            ("38;5;256", ""),
            ("38;2;1;2", ""),
            ("38;5", ""),
            ("38", ""),
            ("38;9;1", "bold"),
            ("38:", ""),
        ] {
            assert_eq!(words(parameters), expected, "{parameters}");
        }
    }

    #[test]
    fn worn__a_colour_on_itself__then_no_colour() {
        assert_eq!(words("31;41"), "");
        assert_eq!(words("1;38;5;1;41"), "bold");
        assert_eq!(words("38;5;16;48;2;0;0;0"), "");
        assert_eq!(words("38;5;231;48;2;255;255;255"), "");
        assert_eq!(words("38;5;255;48;2;238;238;238"), "");
        assert_eq!(words("31;42"), "red on green");
    }

    #[test]
    fn sgr__only_digits_and_separators_then_m() {
        assert_eq!(sgr_parameters(b"m"), Some(0));
        assert_eq!(sgr_parameters(b"1;31mx"), Some(4));
        for other in ["", "1", "?1m", ">4;2m", "1 m", "1K", "1\x1b[m", "1\nm"] {
            assert_eq!(sgr_parameters(other.as_bytes()), None, "{other:?}");
        }
        assert_eq!(sgr_parameters(&[b'1'; 4096]), None);
    }
}
