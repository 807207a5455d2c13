//! The golden trace: a short story that was written once and is kept as bytes in `tests/fixtures/golden-trace`. Whatever
//! this crate becomes, it reads them as they were meant. The console's screens of events are made of the same files.
#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

mod common;

use std::path::{Path, PathBuf};
use std::{env, fs};

use tracer_backend::kind::UNPAIRED;
use tracer_backend::segment::{Recording, Segment, segments, strings_path};
use tracer_backend::strings::{Strings, entries};
use tracer_backend::{Kind, Row, Tag, kinds, payload};

use common::Folder;

/// Where the attempt began, in nanoseconds of the box's monotonic clock.
const BEGAN: u64 = 8_400_000_000;
const SCENARIO: &str = "pytest:chat/test_ws.py::test_reconnect_keeps_history";
const OTHER: &str = "pytest:chat/test_ws.py::test_1000_clients";
const WARNING: u8 = 4;
const ERROR: u8 = 5;

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/golden-trace")
}

fn lane(strings: &mut Strings, kind: &str, tid: u64, name: &str) -> u32 {
    let mut body = Vec::new();
    payload::put_number(&mut body, "pid", 5120);
    payload::put(&mut body, "kind", kind.as_bytes());
    payload::put_number(&mut body, "tid", tid);
    payload::put(&mut body, "name", name.as_bytes());
    strings.number(Tag::Lane, &body).unwrap()
}

/// Writes rows of one lane, each a little later than the one before.
struct Lane<'a> {
    out: &'a mut Recording,
    number: u32,
    scenario: u32,
    time: u64,
    sequence: u64,
    open: Vec<(u32, u64)>,
}

impl<'a> Lane<'a> {
    fn new(out: &'a mut Recording, number: u32, scenario: u32, time: u64) -> Self {
        Self { out, number, scenario, time, sequence: 0, open: Vec::new() }
    }

    fn put(&mut self, kind: Kind, flags: u8, id: u32, arg: u32, duration: u64) {
        let depth = u16::try_from(self.open.len()).unwrap();
        let (time, lane, scenario, sequence) = (self.time, self.number, self.scenario, self.sequence);
        let row = Row { time, duration, kind: kind.0, flags, depth, lane, scenario, id, arg, sequence };
        self.out.push(row).unwrap();
        self.sequence += 1;
        self.time += 41_000;
    }

    fn text(&mut self, text: &[u8]) -> u32 {
        self.out.strings.number(Tag::Text, text).unwrap()
    }

    fn wait(&mut self, microseconds: u64) -> &mut Self {
        self.time += microseconds * 1000;
        self
    }

    fn mark(&mut self, kind: Kind, id: &str, arg: &str) {
        let (id, arg) = (self.text(id.as_bytes()), self.text(arg.as_bytes()));
        self.put(kind, 0, id, arg, 0);
    }

    fn number(&mut self, kind: Kind, id: &str, arg: u32) {
        let id = self.text(id.as_bytes());
        self.put(kind, 0, id, arg, 0);
    }

    fn said(&mut self, kind: Kind, level: u8, id: &str, text: &[u8], place: (&str, u64)) {
        let mut body = Vec::new();
        payload::put(&mut body, "text", text);
        payload::put(&mut body, "file", place.0.as_bytes());
        payload::put_number(&mut body, "line", place.1);
        let arg = self.out.strings.number(Tag::Payload, &body).unwrap();
        let id = self.text(id.as_bytes());
        self.put(kind, level, id, arg, 0);
    }

    fn enter(&mut self, name: &str, line: u32) {
        let id = self.text(name.as_bytes());
        self.put(kinds::ENTER, 0, id, line, 0);
        self.open.push((id, self.time - 41_000));
    }

    fn leave(&mut self, by: &str) {
        let (id, began) = self.open.pop().unwrap();
        let duration = self.time - began;
        let (kind, arg) = if by.is_empty() { (kinds::EXIT, 0) } else { (kinds::UNWIND, self.text(by.as_bytes())) };
        self.put(kind, 0, id, arg, duration);
    }
}

/// One test that fails, its helper thread, and a moment of another test.
fn story(out: &mut Recording) {
    let main = lane(&mut out.strings, "durable", 5120, "MainThread");
    let calls = lane(&mut out.strings, "calls", 5120, "MainThread");
    let helper = lane(&mut out.strings, "durable", 5131, "writer-3");
    let scenario = out.strings.number(Tag::Text, SCENARIO.as_bytes()).unwrap();
    let other = out.strings.number(Tag::Text, OTHER.as_bytes()).unwrap();

    let mut at = Lane::new(out, main, scenario, BEGAN);
    at.number(kinds::SCENARIO_START, SCENARIO, 1);
    at.mark(kinds::STEP_START, "server", "fixture");
    at.wait(200).said(kinds::LOG, 3, "chat.server", b"listening on 127.0.0.1:8431", ("chat/server.py", 31));
    at.wait(103_000).mark(kinds::STEP_END, "server", "passed");
    at.mark(kinds::STEP_START, "call", "phase");
    at.wait(900).mark(kinds::AUDIT, "socket.connect", "('127.0.0.1', 8431)");
    at.wait(11_000).said(kinds::LOG, 3, "chat.client", b"client 7 connected", ("chat/client.py", 52));
    let hostile = b"peer says \x1b]0;owned\x07\x1b[2J\xe2\x80\xae and \xff";
    at.wait(400_000).said(kinds::LOG, WARNING, "chat.client", hostile, ("chat/client.py", 90));
    at.wait(1_250_000).said(kinds::EXCEPTION, ERROR, "ConnectionResetError", b"peer closed", ("chat/client.py", 94));
    at.number(kinds::PROCESS, "spawned: python3 -m chat.worker", 5144);
    at.wait(310_000).said(kinds::EXCEPTION, ERROR, "AssertionError", b"assert 997 == 1000", ("chat/test_ws.py", 58));
    at.mark(kinds::STEP_END, "call", "failed");
    at.wait(31_000).mark(kinds::SCENARIO_END, SCENARIO, "failed");
    (at.scenario, at.time) = (other, at.time + 1_000_000);
    at.number(kinds::SCENARIO_START, OTHER, 1);
    at.number(kinds::POINT, "clients", 1000);
    at.mark(kinds::SCENARIO_END, OTHER, "passed");
    at.mark(kinds::LANE_END, "closed", "");

    let mut at = Lane::new(out, calls, scenario, BEGAN + 106_000_000);
    at.enter("chat.client.Client.connect", 40);
    at.enter("chat.client.Client._handshake", 66);
    at.wait(8_000).leave("");
    at.wait(1_000).leave("");
    for message in 0..3 {
        at.wait(2_000).enter("chat.client.Client.send", 80);
        at.wait(600 + 140 * message).leave("");
    }
    at.wait(1_640_000).enter("chat.client.Client.receive", 88);
    at.wait(4_967).leave("ConnectionResetError");
    let gap = at.text(b"overwritten before it was drained");
    at.put(kinds::GAP, 0, gap, 18, 0);
    at.sequence += 18;
    let lost = at.text(b"chat.client.Client.send");
    at.put(kinds::EXIT, UNPAIRED, lost, 0, 0);

    let mut at = Lane::new(out, helper, scenario, BEGAN + 1_800_000_000);
    at.said(kinds::LOG, WARNING, "chat.pool", b"pool.acquire slow 4967us", ("chat/pool.py", 71));
    at.wait(200_000).mark(kinds::ATTRIBUTE, "waiting", "3");
    out.flush().unwrap();
}

fn rows(folder: &Path) -> Vec<Row> {
    let mut buffer = Vec::new();
    let mut rows = Vec::new();
    for (_, path) in segments(folder).unwrap() {
        let segment = Segment::open(&path).unwrap();
        for number in 0..segment.blocks().len() {
            let block = segment.load(number, &mut buffer).unwrap().expect("an undamaged block");
            rows.extend(block.iter());
        }
    }
    rows
}

#[test]
fn golden__written_by_an_earlier_version__then_read_as_it_was_meant() {
    let folder = Folder::new();
    let mut out = Recording::open(folder.path()).unwrap();
    story(&mut out);
    drop(out);
    if env::var_os("TRACEKIT_GOLDEN_UPDATE").is_some() {
        drop(fs::remove_dir_all(kept()));
        fs::create_dir_all(kept().join("trace")).unwrap();
        for (_, path) in segments(folder.path()).unwrap() {
            fs::copy(&path, kept().join("trace").join(path.file_name().unwrap())).unwrap();
        }
        fs::copy(strings_path(folder.path()), strings_path(&kept())).unwrap();
    }
    assert_eq!(rows(&kept()), rows(folder.path()));
    let (then, now) = (fs::read(strings_path(&kept())).unwrap(), fs::read(strings_path(folder.path())).unwrap());
    assert_eq!(then, now, "strings are written as they always were");
    assert!(entries(&then).any(|entry| entry.body == SCENARIO.as_bytes()));
}
