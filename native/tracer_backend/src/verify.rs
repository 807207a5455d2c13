//! Whether a trace is whole: every block, every string it needs, and in every lane each sequence once, or a gap that
//! says how many are missing and why. A trace is complete only when each lane says itself that it ended.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::dictionary::Dictionary;
use crate::kinds;
use crate::payload;
use crate::problem::{Problem, Result};
use crate::segment::{Segment, segments, strings_path};
use crate::strings::Tag;

/// So many faults are told one by one: whoever wrote the files must not decide how much is held of them.
const MOST_FAULTS: usize = 1000;

/// So many lanes that no string describes are held: a file may claim billions.
const MOST_STRANGE: usize = 1000;

/// What became of a lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneReport {
    /// The process.
    pub pid: u64,
    /// The thread; 0 for what the process itself could not record.
    pub tid: u64,
    /// The name of the thread.
    pub name: String,
    /// calls, durable or process.
    pub kind: String,
    /// How many records there are.
    pub records: u64,
    /// How many are missing, by reason.
    pub lost: BTreeMap<String, u64>,
    /// How it ended; nothing while it may go on.
    pub end: Option<String>,
    next: u64,
}

/// What was found in a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// By number of the lane.
    pub lanes: BTreeMap<u32, LaneReport>,
    /// Blocks that are whole.
    pub blocks: u64,
    /// Bytes of the segments.
    pub bytes: u64,
    /// Everything that must not be; of very many the first, and how many more there are.
    pub faults: Vec<String>,
    unsaid: u64,
}

impl Report {
    fn fault(&mut self, words: String) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(words);
        } else {
            self.unsaid += 1;
        }
    }

    /// How many records there are.
    pub fn records(&self) -> u64 {
        self.lanes.values().map(|lane| lane.records).sum()
    }

    /// How many are missing, and said to be.
    pub fn lost(&self) -> u64 {
        self.lanes.values().flat_map(|lane| lane.lost.values()).sum()
    }

    /// Whether nothing is damaged. Records that are said to be missing are no damage.
    pub fn sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// Whether nothing is damaged, nothing is missing, and every lane ended.
    pub fn complete(&self) -> bool {
        self.sound() && self.lost() == 0 && self.lanes.values().all(|lane| lane.end.is_some() || lane.kind == "process")
    }
}

/// Reads the whole trace of a box. One that is not there is empty.
///
/// # Errors
/// Files cannot be read.
pub fn verify(folder: &Path) -> Result<Report> {
    let mut report = Report::default();
    let path = strings_path(folder);
    let mut strings = Dictionary::new(&path);
    strings.poll(|_, _, _| {})?;
    let (committed, length) = (strings.committed(), strings.length());
    if committed < length {
        report.fault(format!("{}: {} bytes at the end are not whole", path.display(), length - committed));
    }
    let (mut next_block, mut strange) = (0, 0);
    let mut buffer = Vec::new();
    for (_, path) in segments(folder)? {
        let segment = match Segment::open(&path) {
            Ok(segment) => segment,
            Err(problem) => {
                report.fault(problem.to_string());
                continue;
            }
        };
        let length = fs::metadata(&path).map_err(Problem::io("look at", &path))?.len();
        report.bytes += length;
        if segment.committed() < length {
            let left = length - segment.committed();
            report.fault(format!("{}: {left} bytes at the end are not whole", path.display()));
        }
        for (number, zone) in segment.blocks().enumerate() {
            if zone.number != next_block {
                report.fault(format!("{}: block {} where {next_block} was to come", path.display(), zone.number));
            }
            next_block = zone.number.wrapping_add(1);
            if zone.strings > committed {
                report.fault(format!("{}: block {number} needs strings that are not there", path.display()));
            }
            let Some(block) = segment.load(number, &mut buffer)? else {
                report.fault(format!("{}: block {number} is damaged", path.display()));
                continue;
            };
            report.blocks += 1;
            if !block.covers() {
                report.fault(format!("{}: the head of block {number} hides some of its rows", path.display()));
            }
            for row in block.iter() {
                if !report.lanes.contains_key(&row.lane) {
                    let (told, known) = describe(row.lane, &mut strings);
                    strange += usize::from(!known);
                    if !known && strange > MOST_STRANGE {
                        report.fault(format!(
                            "{}: block {number}: nothing describes lane {}",
                            path.display(),
                            row.lane
                        ));
                        continue;
                    }
                    report.lanes.insert(row.lane, told);
                }
                let Some(lane) = report.lanes.get_mut(&row.lane) else { continue };
                let text = |number: u32| {
                    let found = strings.get(number).ok().flatten();
                    found.map(|(_, body)| String::from_utf8_lossy(body).into_owned())
                };
                if let Some(fault) = lane.feed(&row, text) {
                    report.fault(format!("{}: block {number}: lane {}: {fault}", path.display(), row.lane));
                }
            }
        }
    }
    if report.unsaid > 0 {
        report.faults.push(format!("{} more", report.unsaid));
    }
    Ok(report)
}

/// A lane as its description begins it, and whether there is one.
fn describe(number: u32, strings: &mut Dictionary) -> (LaneReport, bool) {
    let told = match strings.get(number).ok().flatten() {
        Some((Tag::Lane, body)) => Some(body),
        _ => None,
    };
    let body = told.unwrap_or_default();
    let text = |name| payload::field(body, name).map(|value| String::from_utf8_lossy(value).into_owned());
    let word = |name| payload::number(body, name).unwrap_or(0);
    let lane = LaneReport {
        pid: word("pid"),
        tid: word("tid"),
        name: text("name").unwrap_or_default(),
        kind: text("kind").unwrap_or_default(),
        next: word("base"),
        ..LaneReport::default()
    };
    (lane, told.is_some())
}

impl LaneReport {
    fn feed(&mut self, row: &crate::row::Row, text: impl FnOnce(u32) -> Option<String>) -> Option<String> {
        let expected = self.next;
        let after_end = self.end.is_some();
        self.next = row.sequence.wrapping_add(1);
        if row.kind == kinds::GAP.0 {
            *self.lost.entry(text(row.id).unwrap_or_default()).or_default() += u64::from(row.arg);
            self.next = row.sequence.wrapping_add(row.arg.into());
        } else if row.kind == kinds::LANE_END.0 {
            self.end = Some(text(row.id).unwrap_or_default());
            self.next = row.sequence;
        } else {
            self.records += 1;
        }
        if after_end {
            return Some(format!("record {} after its end", row.sequence));
        }
        (row.sequence != expected).then(|| format!("record {} where {expected} was to come", row.sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Row;
    use crate::scratch::Folder;
    use crate::segment::Recording;

    #[test]
    fn verify__a_lane_of_its_own_for_every_row__then_a_fault_and_not_all_of_them_held() {
        let folder = Folder::new();
        let mut recording = Recording::open(folder.path()).unwrap();
        for lane in 1..50_000 {
            recording.push(Row { lane: lane * 7, kind: kinds::EVENT.0, ..Row::default() }).unwrap();
        }
        recording.flush().unwrap();
        let report = verify(folder.path()).unwrap();
        assert_eq!(report.lanes.len(), MOST_STRANGE);
        assert!(report.faults.iter().any(|fault| fault.contains("nothing describes lane")), "{:?}", report.faults);
        assert!(report.faults.len() <= MOST_FAULTS + 1);
    }
}
