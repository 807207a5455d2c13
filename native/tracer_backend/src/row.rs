//! One event as blocks hold it, and the columns that it is laid out in.

/// An event, drained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Nanoseconds of the box's monotonic clock.
    pub time: u64,
    /// Of an exit: nanoseconds since its call began. Else 0.
    pub duration: u64,
    /// Number of its kind.
    pub kind: u8,
    /// Level and marks.
    pub flags: u8,
    /// How deep the stack of calls was.
    pub depth: u16,
    /// Number of the string that describes its lane.
    pub lane: u32,
    /// Number of the string that names its scenario, 0 for none.
    pub scenario: u32,
    /// As its kind says; numbers of strings are those of the box.
    pub id: u32,
    /// As its kind says.
    pub arg: u32,
    /// Its place in the lane.
    pub sequence: u64,
}

/// A column; the number is what blocks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Column {
    /// `Row::time`
    Time = 1,
    /// `Row::duration`
    Duration = 2,
    /// `Row::kind`
    Kind = 3,
    /// `Row::flags`
    Flags = 4,
    /// `Row::depth`
    Depth = 5,
    /// `Row::lane`
    Lane = 6,
    /// `Row::scenario`
    Scenario = 7,
    /// `Row::id`
    Id = 8,
    /// `Row::arg`
    Arg = 9,
    /// `Row::sequence`
    Sequence = 10,
}

/// How many columns there are.
pub const COLUMNS: usize = 10;

impl Column {
    /// Every column, in the order of the blocks.
    pub const ALL: [Self; COLUMNS] = [
        Self::Time,
        Self::Duration,
        Self::Kind,
        Self::Flags,
        Self::Depth,
        Self::Lane,
        Self::Scenario,
        Self::Id,
        Self::Arg,
        Self::Sequence,
    ];

    /// Where it stands in a row of all columns.
    #[inline]
    pub fn index(self) -> usize {
        self as usize - 1
    }
}

impl Row {
    /// The values in the order of the columns.
    #[inline]
    pub fn values(&self) -> [u64; COLUMNS] {
        [
            self.time,
            self.duration,
            self.kind.into(),
            self.flags.into(),
            self.depth.into(),
            self.lane.into(),
            self.scenario.into(),
            self.id.into(),
            self.arg.into(),
            self.sequence,
        ]
    }

    /// A row of these values; each is cut to its width.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // a damaged block must not end its reader
    pub fn from_values(values: [u64; COLUMNS]) -> Self {
        let [time, duration, kind, flags, depth, lane, scenario, id, arg, sequence] = values;
        Self {
            time,
            duration,
            kind: kind as u8,
            flags: flags as u8,
            depth: depth as u16,
            lane: lane as u32,
            scenario: scenario as u32,
            id: id as u32,
            arg: arg as u32,
            sequence,
        }
    }
}
