//! Secrets in the strings that a drain takes over: each form of one is replaced by its mark before anything is
//! written. Values are never shown; what is not text of a process (numbers, kinds, times) cannot hold one.

use std::fmt;

use crate::payload;
use crate::strings::Tag;

/// As many bytes of a form, at an end where something may have been cut off, are taken for the form.
const PART: usize = 8;

/// What must not be written, each with what stands for it.
#[derive(Clone, Default)]
pub struct Secrets {
    forms: Vec<(Vec<u8>, Vec<u8>)>,
    /// By the first two bytes of the forms: most places of a text are done with one look.
    heads: Vec<u64>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Secrets({})", self.forms.len())
    }
}

fn head(bytes: &[u8]) -> Option<usize> {
    let [first, second, ..] = bytes else { return None };
    Some(usize::from(*first) << 8 | usize::from(*second))
}

impl Secrets {
    /// Forms with their marks; the longest is looked for first. A form of less than two bytes is none.
    pub fn new(mut forms: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        forms.retain(|(form, _)| form.len() > 1);
        forms.sort_by(|(one, _), (other, _)| other.len().cmp(&one.len()).then(one.cmp(other)));
        let mut heads = if forms.is_empty() { Vec::new() } else { vec![0; 1 << 10] };
        for at in forms.iter().filter_map(|(form, _)| head(form)) {
            heads[at / 64] |= 1 << (at % 64);
        }
        Self { forms, heads }
    }

    /// The string without its secrets; nothing when it has none.
    pub fn string(&self, tag: Tag, body: &[u8]) -> Option<Vec<u8>> {
        if self.forms.is_empty() {
            return None;
        }
        if tag == Tag::Text {
            return self.text(body);
        }
        // A mark is not as long as what it stands for, so the lengths of the fields are told anew.
        let mut out = Vec::with_capacity(body.len());
        let mut any = false;
        for (name, value) in payload::fields(body) {
            let clean = self.text(value);
            any |= clean.is_some();
            payload::put(&mut out, &String::from_utf8_lossy(name), clean.as_deref().unwrap_or(value));
        }
        any.then_some(out)
    }

    fn text(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let (mut at, mut kept) = (0, 0);
        while at + 1 < text.len() {
            let Some((form, mark)) = self.at(&text[at..]) else {
                at += 1;
                continue;
            };
            out.extend_from_slice(&text[kept..at]);
            out.extend_from_slice(mark);
            at += form;
            kept = at;
        }
        if out.is_empty() {
            return None;
        }
        out.extend_from_slice(&text[kept..]);
        Some(out)
    }

    /// How long the form is that begins here, and its mark. At the very end the beginning of one is enough.
    fn at(&self, rest: &[u8]) -> Option<(usize, &[u8])> {
        let place = head(rest)?;
        if self.heads[place / 64] >> (place % 64) & 1 == 0 {
            return None;
        }
        let found = |form: &[u8]| rest.starts_with(form) || (rest.len() >= PART && form.starts_with(rest));
        let (form, mark) = self.forms.iter().find(|(form, _)| found(form))?;
        Some((form.len().min(rest.len()), mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let of = |form: &str, mark: &str| (form.as_bytes().to_vec(), mark.as_bytes().to_vec());
        Secrets::new(vec![of("hunter2hunter2", "«A»"), of("hunter2", "«B»"), of("x", "«C»")])
    }

    #[test]
    fn text__with_forms_inside_one_another__then_the_longest_is_marked() {
        let clean = |text: &str| secrets().text(text.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(clean("a hunter2hunter2 b hunter2x").as_deref(), Some("a «A» b «B»x"));
        assert_eq!(clean("hunter"), None);
        assert_eq!(clean(""), None);
        assert_eq!(clean("cut: hunter2hunt").as_deref(), Some("cut: «A»"));
    }

    #[test]
    fn payload__with_a_secret__then_its_other_fields_stay_whole() {
        let mut body = Vec::new();
        payload::put(&mut body, "text", b"password hunter2 given");
        payload::put_number(&mut body, "line", 7);
        let clean = secrets().string(Tag::Payload, &body).unwrap();
        assert_eq!(payload::field(&clean, "text"), Some("password «B» given".as_bytes()));
        assert_eq!(payload::number(&clean, "line"), Some(7));
        assert_eq!(secrets().string(Tag::Text, b"nothing"), None);
        assert_eq!(Secrets::default().string(Tag::Text, b"hunter2"), None);
        assert_eq!(format!("{:?}", secrets()), "Secrets(2)");
    }
}
