//! The clocks of this machine. A time stamp counter is only a clock where the kernel trusts it: constant, not
//! stopped in sleep states, and in use as the kernel's own clock source.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::{env, fs};

/// Set in `Clock::flags` when the time stamp counter may be used as a clock.
pub const TSC_TRUSTED: u64 = 1;

/// `system` has records take the time from the system whatever the kernel thinks of the counter.
pub const CLOCK_VARIABLE: &str = "TRACEKIT_CLOCK";

const TRIES: usize = 5;

/// One moment on all clocks; the layout is part of the C ABI.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The time stamp counter, 0 where there is none.
    pub tsc: u64,
    /// Nanoseconds of the monotonic clock.
    pub monotonic_ns: u64,
    /// Nanoseconds since 1970.
    pub realtime_ns: u64,
    /// How far apart the first and the last reading were, in nanoseconds of the monotonic clock.
    pub spread_ns: u64,
    /// `TSC_TRUSTED` or 0.
    pub flags: u64,
}

impl Clock {
    /// Reads all clocks a few times and keeps the tightest reading, so that a preempted one is not believed.
    pub fn read() -> Self {
        let mut best = Self::read_once();
        for _ in 1..TRIES {
            let next = Self::read_once();
            if next.spread_ns < best.spread_ns {
                best = next;
            }
        }
        best.flags = if tsc_trusted() { TSC_TRUSTED } else { 0 };
        best
    }

    fn read_once() -> Self {
        let before = monotonic_ns();
        let tsc = tsc();
        let realtime_ns = realtime_ns();
        let after = monotonic_ns();
        let spread_ns = after.saturating_sub(before);
        Self { tsc, monotonic_ns: before + spread_ns / 2, realtime_ns, spread_ns, flags: 0 }
    }
}

/// From the times in records to nanoseconds of the monotonic clock: a line through two moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    tsc: bool,
    ticks: u64,
    ns: u64,
    /// Nanoseconds of a tick, in parts of 2^-32.
    slope: u64,
}

impl Scale {
    /// The line through two moments; where records hold nanoseconds already, they stay what they are.
    pub fn new(tsc: bool, from: &Clock, to: &Clock) -> Self {
        let (ticks, ns) = (to.tsc.saturating_sub(from.tsc), to.monotonic_ns.saturating_sub(from.monotonic_ns));
        // Without a second moment a tick is taken for a nanosecond: order stays right, lengths do not.
        let slope = if ns == 0 { None } else { (u128::from(ns) << 32).checked_div(ticks.into()) };
        let slope = slope.and_then(|slope| u64::try_from(slope).ok()).unwrap_or(1 << 32);
        Self { tsc, ticks: from.tsc, ns: from.monotonic_ns, slope }
    }

    /// The time of a record in nanoseconds.
    #[inline]
    pub fn ns(&self, time: u64) -> u64 {
        if !self.tsc {
            return time;
        }
        let far = (u128::from(time.abs_diff(self.ticks)) * u128::from(self.slope)) >> 32;
        let far = u64::try_from(far).unwrap_or(u64::MAX);
        if time >= self.ticks { self.ns.saturating_add(far) } else { self.ns.saturating_sub(far) }
    }

    /// The times of some records, as `ns` has each: at once where all of them lie within some seconds of the first moment.
    #[inline(always)]
    #[allow(clippy::inline_always)] // for the instructions that its caller may use
    pub(crate) fn all(&self, times: &mut [u64]) {
        const NEAR: u64 = u32::MAX as u64;
        // All ones where a time lies before the moment: turned with it, and one taken off, a number changes its sign.
        let before = |time: u64| 0_u64.wrapping_sub(time.wrapping_sub(self.ticks) >> 63);
        let turned = |far: u64, before: u64| (far ^ before).wrapping_sub(before);
        let far = |time: u64| turned(time.wrapping_sub(self.ticks), before(time));
        let farthest = times.iter().fold(0, |all, time| all | far(*time));
        if self.tsc && farthest <= NEAR && self.slope <= NEAR && (NEAR..=u64::MAX - NEAR).contains(&self.ns) {
            for time in times {
                let ns = ((far(*time) & NEAR) * (self.slope & NEAR)) >> 32;
                *time = self.ns.wrapping_add(turned(ns, before(*time)));
            }
        } else {
            self.each(times);
        }
    }

    #[inline(never)]
    fn each(&self, times: &mut [u64]) {
        for time in times {
            *time = self.ns(*time);
        }
    }
}

fn nanoseconds(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a timespec of ours; both clocks used here exist on every platform we build for.
    let status = unsafe { libc::clock_gettime(clock, &raw mut now) };
    if status != 0 {
        return 0;
    }
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let rest = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// Nanoseconds of the clock that never goes back.
#[inline]
pub fn monotonic_ns() -> u64 {
    nanoseconds(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds since 1970.
pub fn realtime_ns() -> u64 {
    nanoseconds(libc::CLOCK_REALTIME)
}

/// The time stamp counter, 0 where there is none.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn tsc() -> u64 {
    // SAFETY: every x86-64 processor has the instruction; it touches no memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The time stamp counter, 0 where there is none.
#[cfg(not(target_arch = "x86_64"))]
pub fn tsc() -> u64 {
    0
}

/// Whether the kernel itself keeps time by the counter. Reads files the first time.
pub fn tsc_trusted() -> bool {
    // No `OnceLock`: a child that was forked while another thread was asking would wait for that thread for ever.
    static TRUSTED: AtomicU8 = AtomicU8::new(UNKNOWN);
    const UNKNOWN: u8 = 2;
    let known = TRUSTED.load(Relaxed);
    if known != UNKNOWN {
        return known != 0;
    }
    let trusted = ask_kernel();
    TRUSTED.store(u8::from(trusted), Relaxed);
    trusted
}

fn ask_kernel() -> bool {
    cfg!(all(target_arch = "x86_64", target_os = "linux"))
        && env::var_os(CLOCK_VARIABLE).is_none_or(|clock| clock != "system")
        && fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource")
            .is_ok_and(|source| source.trim() == "tsc")
        && fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| cpuinfo_trusts_tsc(&text))
}

fn cpuinfo_trusts_tsc(text: &str) -> bool {
    let Some(flags) = text.lines().find(|line| line.starts_with("flags")) else {
        return false;
    };
    ["constant_tsc", "nonstop_tsc"].iter().all(|wanted| flags.split_ascii_whitespace().any(|flag| flag == *wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic__read_twice__then_never_goes_back() {
        let first = monotonic_ns();
        let second = monotonic_ns();
        assert!(first > 0 && second >= first);
    }

    #[test]
    fn clock__read__then_monotonic_lies_between_its_neighbours() {
        let before = monotonic_ns();
        let clock = Clock::read();
        let after = monotonic_ns();
        assert!(before <= clock.monotonic_ns && clock.monotonic_ns <= after);
        assert!(clock.spread_ns <= after - before);
        assert_eq!(clock.flags & TSC_TRUSTED != 0, tsc_trusted());
    }

    #[test]
    fn scale__between_two_moments__then_within_a_nanosecond_and_in_order() {
        let at = |tsc, monotonic_ns| Clock { tsc, monotonic_ns, realtime_ns: 0, spread_ns: 0, flags: 0 };
        let scale = Scale::new(true, &at(1_000, 50), &at(4_000, 1_050));
        let wanted = [(1_000, 50), (2_500, 550), (4_000, 1_050), (7_000, 2_050), (700, 0), (0, 0)];
        for (time, ns) in wanted {
            assert!(scale.ns(time).abs_diff(ns) <= 1, "{time}");
        }
        assert!((0..9_000).all(|time| scale.ns(time) <= scale.ns(time + 1)));
        assert!(scale.ns(4_000) <= 1_050, "never beyond the moment that the next line begins with");
        assert_eq!(Scale::new(false, &at(0, 0), &at(9, 3)).ns(77), 77);
        assert_eq!(Scale::new(true, &at(5, 5), &at(5, 5)).ns(7), 7);
        assert_eq!(Scale::new(true, &at(0, 0), &at(1, u64::MAX)).ns(u64::MAX), u64::MAX);
    }

    #[test]
    fn times__many_at_once_near_far_and_before_the_first_moment__then_each_as_by_itself() {
        let at = |tsc, monotonic_ns| Clock { tsc, monotonic_ns, realtime_ns: 0, spread_ns: 0, flags: 0 };
        let (late, tick) = (1 << 40, 1 << 33);
        let scales = [
            Scale::new(true, &at(tick, late), &at(tick + 3_000, late + 1_000)),
            Scale::new(true, &at(tick, 7), &at(tick + 3_000, 1_007)),
            Scale::new(true, &at(tick, u64::MAX - 9), &at(tick + 3_000, u64::MAX)),
            Scale::new(true, &at(tick, late), &at(tick + 1_000, late + 3_000)),
            Scale::new(false, &at(tick, late), &at(tick + 3_000, late + 1_000)),
        ];
        let near = [tick - 1, tick, tick + 1, tick - 4_000_000_000, tick + 4_000_000_000, tick + u64::from(u32::MAX)];
        let far = [0, tick - (1 << 32), tick + (1 << 32), u64::MAX];
        for scale in scales {
            for times in [near.to_vec(), [&near[..], &far[..]].concat(), Vec::new()] {
                let mut many = times.clone();
                scale.all(&mut many);
                assert_eq!(many, times.iter().map(|time| scale.ns(*time)).collect::<Vec<_>>(), "{scale:?}");
            }
        }
    }

    #[test]
    fn trust__only_with_both_flags() {
        assert!(cpuinfo_trusts_tsc("model : x\nflags\t\t: fpu constant_tsc nonstop_tsc sse\n"));
        assert!(!cpuinfo_trusts_tsc("flags\t\t: fpu constant_tsc sse\n"));
        assert!(!cpuinfo_trusts_tsc("flags\t\t: fpu constant_tsc_x nonstop_tsc\n"));
        assert!(!cpuinfo_trusts_tsc(""));
    }
}
