//! What each character may become on a screen. A character whose width terminals agree on stays; a mark stays on
//! the character it belongs to; all that is invisible, moves the cursor, turns text around or is not assigned
//! becomes a picture. The order of the questions is by how often they are asked.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_width::UnicodeWidthChar;

/// What stands for a broken byte, a surrogate, a noncharacter, or a character this version does not know.
pub(crate) const BROKEN: char = '\u{fffd}';
const C1: char = '␦';
const LINE_BREAK: char = '␤';
const DIRECTION: char = '⇄';
/// What stands for characters that are drawn as nothing.
pub(crate) const INVISIBLE: char = '␢';
/// A mark with nothing to stand on, or too many marks on one character.
pub(crate) const LONE_MARK: char = '◌';

/// Every picture beside those of the C0 controls (U+2400 to U+241F, and U+2421 for DEL) and the squared letters
/// that stand for regional indicators.
pub const PICTURES: [char; 6] = [BROKEN, C1, LINE_BREAK, DIRECTION, INVISIBLE, LONE_MARK];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glyph {
    /// Takes this many cells, 1 or 2.
    Base(u8),
    /// Takes no cell: it is drawn on the character before it.
    Mark,
    /// Asks for another look of the character before it: variation selectors and skin tones.
    Selector,
    /// Must not be shown; this stands for it.
    Picture(char),
}

pub(crate) fn glyph(c: char) -> Glyph {
    match c {
        ' '..='~' | '\u{a0}'..='\u{ac}' | '\u{ae}'..='\u{2ff}' | '\u{2500}'..='\u{259f}'
        // Drawn before the next letter, or on the one before: terminals and the C library know no context.
        | '\u{d4e}' | '\u{17a4}' | '\u{a8fa}' | '\u{111c2}'..='\u{111c3}' | '\u{1193f}' | '\u{11941}'
        | '\u{11a84}'..='\u{11a89}' | '\u{11d46}' => Glyph::Base(1),
        '\0'..='\x1f' => Glyph::Picture(picture_of_c0(c)),
        '\x7f' => Glyph::Picture('␡'),
        '\u{85}' | '\u{2028}' | '\u{2029}' => Glyph::Picture(LINE_BREAK),
        '\u{80}'..='\u{9f}' => Glyph::Picture(C1),
        '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30ff}' => {
            Glyph::Base(2)
        }
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Glyph::Picture(DIRECTION)
        }
        // Skin tones among them: terminals draw one on the emoji before it, or beside it, and widths differ by two.
        '\u{fe00}'..='\u{fe0f}'
        | '\u{e0100}'..='\u{e01ef}'
        | '\u{180b}'..='\u{180d}'
        | '\u{180f}'
        | '\u{1f3fb}'..='\u{1f3ff}' => Glyph::Selector,
        // One cell, two, or half a flag: terminals do not agree. The squared letter takes one everywhere.
        '\u{1f1e6}'..='\u{1f1ff}' => Glyph::Picture(char::from_u32(u32::from(c) - 0x1f1e6 + 0x1f130).unwrap_or(BROKEN)),
        // Letters and marks that are drawn as nothing: joiner, Hangul fillers, Khmer inherent vowels.
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' => {
            Glyph::Picture(INVISIBLE)
        }
        '\u{2d7f}' | '\u{1171e}' => Glyph::Mark,
        _ => by_category(c),
    }
}

fn by_category(c: char) -> Glyph {
    match c.general_category() {
        GeneralCategory::PrivateUse => Glyph::Base(1), // icons of patched fonts
        GeneralCategory::Format => Glyph::Picture(INVISIBLE),
        GeneralCategory::Control
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator
        | GeneralCategory::Surrogate
        | GeneralCategory::Unassigned => Glyph::Picture(BROKEN),
        // Vowel signs that stand beside their letter: most terminals give them a cell, whatever they are combined with.
        GeneralCategory::SpacingMark if !matches!(c, '\u{302e}' | '\u{302f}' | '\u{16ff0}' | '\u{16ff1}') => {
            Glyph::Base(1)
        }
        _ => match c.width() {
            Some(0) => Glyph::Mark,
            Some(1) => Glyph::Base(1),
            Some(2) => Glyph::Base(2),
            _ => Glyph::Picture(BROKEN),
        },
    }
}

pub(crate) fn picture_of_c0(c: char) -> char {
    char::from_u32(0x2400 + u32::from(c)).unwrap_or(BROKEN)
}

/// Whether the selector is one that the character has a use for.
pub(crate) fn selects(selector: char, base: char) -> bool {
    match selector {
        '\u{fe0e}' | '\u{fe0f}' => matches!(
            base,
            '0'..='9' | '#' | '*' | '©' | '®' | '\u{203c}'..='\u{3299}' | '\u{1f000}'..='\u{1faff}'
        ),
        '\u{fe00}'..='\u{fe0d}' => matches!(base, '\u{80}'..),
        '\u{1f3fb}'..='\u{1f3ff}' => matches!(base, '\u{261d}'..='\u{270d}' | '\u{1f300}'..='\u{1faff}'),
        '\u{180b}'..='\u{180f}' => matches!(base, '\u{1820}'..='\u{18aa}'),
        _ => matches!(base, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}'),
    }
}

/// The cells a character of safe text takes: 0 for a mark, else 1 or 2. None for what is never in safe text.
pub fn width(c: char) -> Option<usize> {
    match glyph(c) {
        Glyph::Base(cells) => Some(usize::from(cells)),
        Glyph::Mark => Some(0),
        Glyph::Selector | Glyph::Picture(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glyph__every_character_shown__then_unicode_width_agrees_but_for_letters_and_marks_beside_them() {
        let apart = |c: char| {
            let beside = c.general_category() == GeneralCategory::SpacingMark;
            beside || matches!(u32::from(c), 0xd4e | 0x17a4 | 0xa8fa | 0x2d7f | 0x111c2..=0x11d46)
        };
        for c in ('\0'..=char::MAX).filter(|&c| !apart(c)) {
            if let Some(cells) = width(c) {
                assert_eq!(c.width(), Some(cells), "{:x}", u32::from(c));
            }
        }
        for c in ['\u{93e}', '\u{bbe}', '\u{9be}', '\u{903}', '\u{17a4}', '\u{d4e}'] {
            assert_eq!(width(c), Some(1), "{:x}", u32::from(c));
        }
    }

    #[test]
    fn glyph__every_picture__then_one_cell_and_shown_as_itself() {
        for c in '\0'..=char::MAX {
            if let Glyph::Picture(picture) = glyph(c) {
                assert_eq!(glyph(picture), Glyph::Base(1), "{:x}", u32::from(c));
            }
        }
        assert_eq!(glyph(LONE_MARK), Glyph::Base(1));
    }

    #[test]
    fn glyph__controls_and_invisible__then_never_shown() {
        let hidden = [
            '\0'..='\x1f',
            '\x7f'..='\u{9f}',
            '\u{ad}'..='\u{ad}',
            '\u{200b}'..='\u{200f}',
            '\u{2028}'..='\u{202e}',
            '\u{2060}'..='\u{206f}',
            '\u{fdd0}'..='\u{fdef}',
            '\u{feff}'..='\u{feff}',
            '\u{fff0}'..='\u{fffb}',
            '\u{fffe}'..='\u{ffff}',
            '\u{1d173}'..='\u{1d17a}',
            '\u{e0000}'..='\u{e0fff}',
            '\u{10fffe}'..='\u{10ffff}',
        ];
        for c in hidden.into_iter().flatten() {
            assert_eq!(width(c), None, "{:x}", u32::from(c));
        }
    }

    #[test]
    fn tables__of_both_crates__then_of_the_same_unicode() {
        let (major, minor, patch) = unicode_width::UNICODE_VERSION;
        let categories = unicode_properties::UNICODE_VERSION;
        assert_eq!((u64::from(major), u64::from(minor), u64::from(patch)), categories);
    }
}
