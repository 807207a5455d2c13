//! The lines of a journal as rows of the same kind as a trace's: what is shown where nothing was traced.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tracekit_filter::journal::Line;
use tracekit_filter::{Bound, Context, Fact, Fault, Field, Given, Memo};
use tracer_backend::kind::{LEVEL_MASK, level_name, level_named};
use tracer_backend::{Problem, Result};

use crate::told::Told;
use crate::within::Within;

/// Lines longer than a journal's are not read.
const MAX_LINE: usize = 2 << 20;
const PIECE: usize = 1 << 18;

/// A window into a journal that may still grow, and that may be packed once it does not.
#[derive(Debug)]
pub struct JournalView {
    path: PathBuf,
    /// Kept open: what was packed beneath it goes on to be shown as it was.
    file: Option<File>,
    filter: Option<(Bound, Memo)>,
    context: Context,
    /// Where the lines that pass begin, and how long they are.
    passing: Vec<(u64, usize)>,
    seen: u64,
    total: u64,
    behind: bool,
    times: Option<(u64, u64)>,
}

fn text(line: &Line, field: &Field) -> Vec<u8> {
    match line.given(field) {
        Some(Given::Text(text)) => text.as_bytes().to_vec(),
        _ => Vec::new(),
    }
}

fn number(line: &Line, field: &Field) -> Option<u64> {
    match line.given(field) {
        Some(Given::Number(number)) => u64::try_from(number).ok(),
        _ => None,
    }
}

fn told(line: &Line) -> Told {
    let level = String::from_utf8(text(line, &Field::Level)).unwrap_or_default();
    let attribute = |name: &str| Field::Attribute(name.to_owned());
    Told {
        time: number(line, &Field::Time).unwrap_or(0),
        duration: number(line, &Field::Duration),
        kind: String::from_utf8(text(line, &Field::Kind)).unwrap_or_default(),
        level: level_name(level_named(&level).unwrap_or(0) & LEVEL_MASK),
        pid: number(line, &attribute("pid")).unwrap_or(0),
        thread: text(line, &Field::Lane),
        scenario: text(line, &Field::Scenario),
        name: text(line, &Field::Name),
        text: text(line, &Field::Text),
        value: number(line, &Field::Value),
        file: text(line, &attribute("file")),
        line: number(line, &attribute("line")).unwrap_or(0),
        sequence: number(line, &attribute("n")).unwrap_or(0),
        ..Told::default()
    }
}

impl JournalView {
    /// A journal, of which nothing has been read yet; one that is not there is empty, and grows.
    pub fn new(path: &Path) -> Self {
        let path = path.to_path_buf();
        let (filter, context) = (None, Context::default());
        let (passing, times) = (Vec::new(), None);
        Self { path, file: None, filter, context, passing, seen: 0, total: 0, behind: false, times }
    }

    /// What a filter may ask that no line knows.
    pub fn set_context(&mut self, context: Context) {
        self.context = context;
    }

    /// Looks through another filter, of what passes `within` already; an empty one lets everything through. At most so
    /// many pieces of the file are read for it: `poll` reads on.
    ///
    /// # Errors
    /// The outer one: the journal cannot be read. The inner one: the filter cannot be understood, and nothing changed.
    pub fn set_filter(&mut self, text: &str, within: &Within, most: usize) -> Result<std::result::Result<(), Fault>> {
        self.filter = match within.bound(text, &self.context, self.times) {
            Ok(filter) => filter.map(|bound| (bound, Memo::default())),
            Err(fault) => return Ok(Err(fault)),
        };
        self.passing.clear();
        (self.seen, self.total) = (0, 0);
        self.poll(most)?;
        Ok(Ok(()))
    }

    /// Looks for lines that came since, in at most so many pieces; how many that pass are new.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn poll(&mut self, most: usize) -> Result<u64> {
        let fault = |cause| Problem::Io { what: "read", path: self.path.clone(), cause };
        // Looked up each time: where it was unpacked to be written on, there is another one of the same name.
        match File::open(&self.path) {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
            other => self.file = Some(other.map_err(fault)?),
        }
        let Some(file) = &self.file else { return Ok(0) };
        let before = self.passing.len();
        let mut buffer = vec![0; PIECE];
        let mut left = most;
        self.behind = false;
        loop {
            if left == 0 {
                self.behind = true;
                break;
            }
            let count = file.read_at(&mut buffer, self.seen).map_err(fault)?;
            let Some(whole) = buffer[..count].iter().rposition(|byte| *byte == b'\n') else {
                if count == buffer.len() && count < MAX_LINE {
                    buffer.resize(MAX_LINE, 0);
                    continue;
                }
                break;
            };
            left -= 1;
            for line in buffer[..=whole].split_inclusive(|byte| *byte == b'\n') {
                self.total += u64::from(take(line, self.seen, &mut self.filter, &mut self.passing, &mut self.times));
                self.seen += line.len() as u64;
            }
        }
        Ok((self.passing.len() - before) as u64)
    }

    /// How many lines pass.
    pub fn count_passing(&self) -> u64 {
        self.passing.len() as u64
    }

    /// How many lines were looked at.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether there is more of the file that nobody looked at for want of `most`.
    pub fn is_behind(&self) -> bool {
        self.behind
    }

    /// The first and the last moment, where there are lines.
    pub fn times(&self) -> Option<(u64, u64)> {
        self.times
    }

    /// Lines that pass, from one on, as many as there are and are wanted.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn rows(&self, from: u64, most: usize) -> Result<Vec<Told>> {
        let fault = |cause| Problem::Io { what: "read", path: self.path.clone(), cause };
        let start = usize::try_from(from).unwrap_or(usize::MAX).min(self.passing.len());
        let wanted = &self.passing[start..start.saturating_add(most).min(self.passing.len())];
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let Some(file) = &self.file else { return Ok(Vec::new()) };
        let mut out = Vec::with_capacity(wanted.len());
        let mut buffer = Vec::new();
        for (at, length) in wanted {
            buffer.resize(*length, 0);
            file.read_exact_at(&mut buffer, *at).map_err(fault)?;
            out.extend(Line::parse(&buffer).as_ref().map(told));
        }
        Ok(out)
    }
}

fn take(
    bytes: &[u8],
    at: u64,
    filter: &mut Option<(Bound, Memo)>,
    passing: &mut Vec<(u64, usize)>,
    times: &mut Option<(u64, u64)>,
) -> bool {
    let Some(line) = Line::parse(bytes) else { return false };
    if let Some(time) = number(&line, &Field::Time) {
        let (first, last) = times.unwrap_or((time, time));
        *times = Some((first.min(time), last.max(time)));
    }
    // What the writer keeps for itself is nobody's event.
    if text(&line, &Field::Kind) == b"ingested" {
        return false;
    }
    if filter.as_mut().is_none_or(|(bound, memo)| bound.matches(&line, memo)) {
        passing.push((at, bytes.len()));
    }
    true
}

#[cfg(test)]
mod tests {
    use std::{fs, process};

    use super::*;

    fn line(number: usize) -> String {
        format!("{{\"v\":1,\"n\":{number},\"t\":{number},\"e\":\"phase.{number}\"}}\n")
    }

    fn numbers(view: &JournalView) -> Vec<u64> {
        view.rows(0, 99).expect("read").iter().map(|row| row.sequence).collect()
    }

    #[test]
    fn journal__packed_beneath_it__then_it_goes_on_and_takes_up_what_is_unpacked_again() {
        let folder = std::env::temp_dir().join(format!("tracekit-journal-{}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("lines");
        let mut view = JournalView::new(&path);
        assert_eq!((view.poll(usize::MAX).expect("empty"), numbers(&view)), (0, vec![]));
        fs::write(&path, line(1) + &line(2)).expect("written");
        assert_eq!(view.poll(usize::MAX).expect("read"), 2);

        fs::remove_file(&path).expect("packed");
        assert_eq!((view.poll(usize::MAX).expect("read on"), numbers(&view)), (0, vec![1, 2]));
        view.set_filter("kind=phase.2", &Within::default(), usize::MAX).expect("read on").expect("a filter");
        assert_eq!(numbers(&view), [2]);
        view.set_filter("", &Within::default(), usize::MAX).expect("read on").expect("a filter");

        fs::write(&path, line(1) + &line(2) + &line(3)).expect("unpacked and written on");
        assert_eq!((view.poll(usize::MAX).expect("read"), numbers(&view)), (1, vec![1, 2, 3]));
        fs::remove_dir_all(&folder).expect("removed");
    }
}
