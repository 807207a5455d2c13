//! A window into a trace of which parts cannot be read: the rest is shown, each row once, and what is missing is known.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use query_engine::{View, Within};
use tracer_backend::segment::{Recording, Segment, segment_path, strings_path};
use tracer_backend::{Row, Tag, kinds, payload};

struct Folder(PathBuf);

impl Folder {
    fn empty() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("tracekit-view-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    /// A trace of three blocks, a hundred rows each.
    fn new() -> Self {
        let folder = Self::empty();
        let mut recording = Recording::open(&folder.0).expect("the files of the test");
        for n in 0..300 {
            recording.push(Row { time: n, kind: 4, sequence: n, ..Row::default() }).expect("the files of the test");
            if n % 100 == 99 {
                recording.flush().expect("the files of the test");
            }
        }
        folder
    }

    /// Where each block begins, and where the file ends.
    fn begins(&self) -> Vec<usize> {
        let segment = Segment::open(&segment_path(&self.0, 0)).expect("the files of the test");
        let begins =
            (0..3).map(|number| segment.block(number).expect("the files of the test").0).chain([segment.committed()]);
        begins.map(|at| usize::try_from(at).expect("the files of the test")).collect()
    }

    fn turn(&self, segment: u64, at: usize) {
        let path = segment_path(&self.0, segment);
        let mut bytes = fs::read(&path).expect("the files of the test");
        bytes[at] ^= 1;
        fs::write(path, bytes).expect("the files of the test");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// All rows, window by window, as a list that is scrolled gets them.
fn scrolled(view: &mut View) -> Vec<u64> {
    let mut found = Vec::new();
    loop {
        let rows = view.rows(found.len() as u64, 64).expect("the files of the test");
        if rows.is_empty() {
            return found;
        }
        found.extend(rows.iter().map(|row| row.sequence));
    }
}

fn open(folder: &Path) -> View {
    View::open(folder).expect("the files of the test")
}

#[test]
fn view__of_a_whole_trace__then_nothing_is_unread() {
    let folder = Folder::new();
    let mut view = open(&folder.0);
    assert_eq!((scrolled(&mut view), view.unread()), ((0..300).collect(), 0));
}

#[test]
fn view__block_damaged_inside__then_every_other_row_once_whatever_the_filter() {
    let folder = Folder::new();
    let begins = folder.begins();
    folder.turn(0, begins[1] + 120);
    let left: Vec<u64> = (0..100).chain(200..300).collect();
    let missing = (begins[2] - begins[1]) as u64;
    let mut view = open(&folder.0);
    assert_eq!(view.count_passing(), 300, "by the heads alone");
    assert_eq!(scrolled(&mut view), left);
    assert_eq!((view.count_passing(), view.damaged(), view.unread()), (200, 1, missing));
    for text in ["t>=0", "", "t>=0"] {
        view.set_filter(text, &Within::default(), usize::MAX).unwrap().unwrap();
        assert_eq!(scrolled(&mut view), left);
        assert_eq!((view.damaged(), view.unread()), (1, missing), "{text}");
    }
}

#[test]
fn view__head_of_a_block_damaged__then_what_follows_is_known_to_be_unread() {
    let folder = Folder::new();
    let begins = folder.begins();
    folder.turn(0, begins[1]);
    let mut view = open(&folder.0);
    assert_eq!(scrolled(&mut view), (0..100).collect::<Vec<_>>());
    assert_eq!(view.unread(), (begins[3] - begins[1]) as u64);
}

#[test]
fn view__segment_without_its_header__then_those_around_it_are_shown() {
    let folder = Folder::new();
    let path = segment_path(&folder.0, 0);
    for number in [1, 2] {
        fs::copy(&path, segment_path(&folder.0, number)).unwrap();
    }
    folder.turn(1, 20);
    let mut view = open(&folder.0);
    assert_eq!(scrolled(&mut view).len(), 600);
    assert_eq!(view.unread(), fs::metadata(&path).unwrap().len());
    folder.turn(2, 20);
    let mut view = open(&folder.0);
    assert_eq!(scrolled(&mut view).len(), 300);
    assert_eq!(view.unread(), 2 * fs::metadata(&path).unwrap().len());
    folder.turn(2, 20);
    view.poll(usize::MAX).unwrap();
    assert_eq!(scrolled(&mut view).len(), 600, "the last one was only on its way");
}

#[test]
fn view__strings_that_are_gone__then_their_rows_are_unread() {
    let folder = Folder::new();
    let mut recording = Recording::open(&folder.0).unwrap();
    let id = recording.strings.number(Tag::Text, b"name").unwrap();
    recording.push(Row { time: 300, kind: 4, id, sequence: 300, ..Row::default() }).unwrap();
    recording.flush().unwrap();
    let end = *folder.begins().last().unwrap();
    fs::write(strings_path(&folder.0), b"").unwrap();
    let view = open(&folder.0);
    assert_eq!(view.count_passing(), 0);
    assert_eq!(view.unread(), end as u64 - 64);
}

const LINES: u32 = 100_000;

fn words(number: u32) -> String {
    format!("line {number} of a flood")
}

/// A trace of nothing but log lines, each with words of its own, up to that one; `between` after every tenth of them.
fn flood(recording: &mut Recording, lines: Range<u32>, mut between: impl FnMut()) {
    let logger = recording.strings.number(Tag::Text, b"shop").expect("the files of the test");
    for number in lines {
        let mut body = Vec::new();
        payload::put(&mut body, "text", words(number).as_bytes());
        let arg = recording.strings.number(Tag::Payload, &body).expect("the files of the test");
        let (time, sequence) = (u64::from(number), u64::from(number));
        recording
            .push(Row { time, kind: kinds::LOG.0, id: logger, arg, sequence, ..Row::default() })
            .expect("the files of the test");
        if number % (LINES / 10) == LINES / 10 - 1 {
            recording.flush().expect("the files of the test");
            between();
        }
    }
}

#[test]
fn view__flood_of_log_lines__then_no_words_are_held_and_every_line_is_read_back_in_any_order() {
    let folder = Folder::empty();
    let mut recording = Recording::open(&folder.0).unwrap();
    let mut view = open(&folder.0);
    flood(&mut recording, 0..LINES, || {
        view.poll(usize::MAX).unwrap();
    });
    assert_eq!(recording.strings.bodies(), 1, "of the writer, and of a reader that looked on");
    assert_eq!((view.count_passing(), view.bodies()), (u64::from(LINES), 1));
    for mut view in [view, open(&folder.0)] {
        for (number, row) in (0..).zip(view.rows(0, usize::MAX).unwrap()) {
            assert_eq!((row.name, row.text), (b"shop".to_vec(), words(number).into_bytes()));
        }
        for step in 0..2000 {
            let number = step * 7919 % LINES;
            let found = view.rows(number.into(), 2).unwrap();
            let wanted = (number..LINES).take(2).map(|number| words(number).into_bytes());
            assert!(found.into_iter().map(|row| row.text).eq(wanted), "{number}");
        }
        assert_eq!(view.bodies(), 1);
    }
}

#[test]
fn view__filter_for_words_of_a_flood__then_what_is_there_and_what_comes_later() {
    let folder = Folder::empty();
    let mut recording = Recording::open(&folder.0).unwrap();
    flood(&mut recording, 0..LINES / 2, || {});
    let mut view = open(&folder.0);
    view.set_filter("text:\"line 777*\"", &Within::default(), usize::MAX).unwrap().unwrap();
    let wanted = |until: u32| (0..until).map(words).filter(|words| words.contains("line 777")).collect::<Vec<_>>();
    let found = |view: &mut View| -> Vec<String> {
        let rows = view.rows(0, usize::MAX).unwrap();
        rows.into_iter().map(|row| String::from_utf8(row.text).unwrap()).collect()
    };
    assert_eq!(found(&mut view), wanted(LINES / 2));
    flood(&mut recording, LINES / 2..LINES, || {
        view.poll(usize::MAX).unwrap();
    });
    assert_eq!(found(&mut view), wanted(LINES));
    assert!(wanted(LINES / 2).len() < wanted(LINES).len());
    view.set_filter("kind:log name:shop", &Within::default(), usize::MAX).unwrap().unwrap();
    assert_eq!(view.count_passing(), u64::from(LINES));
}

#[test]
fn view__strings_changed_after_they_were_read__then_an_error_and_no_other_words() {
    let folder = Folder::empty();
    let mut recording = Recording::open(&folder.0).unwrap();
    flood(&mut recording, 0..LINES / 10, || {});
    let mut view = open(&folder.0);
    let path = strings_path(&folder.0);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(view.rows(u64::from(LINES / 10) - 1, 1).is_err());
    assert!(view.set_filter("text:line", &Within::default(), usize::MAX).is_err());
    assert_eq!(view.rows(0, 1).unwrap()[0].text, words(0).into_bytes(), "what is there is shown");
}
