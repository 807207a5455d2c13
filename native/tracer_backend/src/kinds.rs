//! The kinds of trace records. Made by `tools/generate` from `kinds.toml`; change that.

use crate::kind::Meaning::{Nothing, Number, Text};
use crate::kind::{Facts, Home, Kind};

/// a call began, at this depth
pub const ENTER: Kind = Kind(1);
/// the call at this depth ended; the drain adds its duration
pub const EXIT: Kind = Kind(2);
/// the call at this depth was left by an exception; the drain adds its duration
pub const UNWIND: Kind = Kind(3);
/// a number of 64 bits without a name
pub const EVENT: Kind = Kind(4);
/// a named number of 32 bits
pub const POINT: Kind = Kind(5);
/// what follows on this thread belongs to the scenario
pub const SCENARIO_START: Kind = Kind(16);
/// what follows on this thread belongs to no scenario
pub const SCENARIO_END: Kind = Kind(17);
/// a phase, fixture or declared step began
pub const STEP_START: Kind = Kind(18);
/// it ended
pub const STEP_END: Kind = Kind(19);
/// a line of a log; the level is in the flags
pub const LOG: Kind = Kind(20);
/// an exception was raised
pub const EXCEPTION: Kind = Kind(21);
/// another process came or went
pub const PROCESS: Kind = Kind(22);
/// so much was printed here
pub const OUTPUT: Kind = Kind(23);
/// the interpreter told of something that reaches outside: connect, subprocess, open for writing
pub const AUDIT: Kind = Kind(24);
/// what follows on this thread runs in another asynchronous task
pub const TASK: Kind = Kind(25);
/// belongs to the record before it in its lane
pub const ATTRIBUTE: Kind = Kind(26);
/// so many records of this lane are lost, from this sequence on
pub const GAP: Kind = Kind(48);
/// the lane is drained to this sequence, and nothing follows
pub const LANE_END: Kind = Kind(49);

/// The levels of `flags`, lowest first.
pub const LEVELS: [&str; 7] = ["none", "trace", "debug", "info", "warning", "error", "critical"];

pub(crate) static TABLE: [Facts; 18] = [
    Facts { kind: ENTER, name: "enter", home: Home::Calls, id: Text, arg: Number },
    Facts { kind: EXIT, name: "exit", home: Home::Calls, id: Text, arg: Nothing },
    Facts { kind: UNWIND, name: "unwind", home: Home::Calls, id: Text, arg: Text },
    Facts { kind: EVENT, name: "event", home: Home::Calls, id: Number, arg: Number },
    Facts { kind: POINT, name: "point", home: Home::Calls, id: Text, arg: Number },
    Facts { kind: SCENARIO_START, name: "scenario.start", home: Home::Durable, id: Text, arg: Number },
    Facts { kind: SCENARIO_END, name: "scenario.end", home: Home::Durable, id: Text, arg: Text },
    Facts { kind: STEP_START, name: "step.start", home: Home::Durable, id: Text, arg: Text },
    Facts { kind: STEP_END, name: "step.end", home: Home::Durable, id: Text, arg: Text },
    Facts { kind: LOG, name: "log", home: Home::Durable, id: Text, arg: Text },
    Facts { kind: EXCEPTION, name: "exception", home: Home::Durable, id: Text, arg: Text },
    Facts { kind: PROCESS, name: "process", home: Home::Durable, id: Text, arg: Number },
    Facts { kind: OUTPUT, name: "output", home: Home::Durable, id: Text, arg: Number },
    Facts { kind: AUDIT, name: "audit", home: Home::Durable, id: Text, arg: Text },
    Facts { kind: TASK, name: "task", home: Home::Durable, id: Text, arg: Number },
    Facts { kind: ATTRIBUTE, name: "attribute", home: Home::Durable, id: Text, arg: Text },
    Facts { kind: GAP, name: "gap", home: Home::Drain, id: Text, arg: Number },
    Facts { kind: LANE_END, name: "lane.end", home: Home::Drain, id: Text, arg: Nothing },
];
