//! The same work for processors with wide registers: what walks along columns is built for several, and the one that is
//! running is asked which it is. All of them do the same.

/// For each `fn name(…) = body`, a function that has the work of `body` done by the widest registers there are.
/// `body` has to be inlined always: it takes on the instructions of where it is.
macro_rules! wide {
    ($($see:vis fn $name:ident($($argument:ident: $kind:ty),*) -> $gives:ty = $body:ident;)*) => {$(
        #[cfg(target_arch = "x86_64")]
        $see fn $name($($argument: $kind),*) -> $gives {
            #[target_feature(enable = "avx2,avx512f,avx512bw,avx512dq,avx512vl")]
            fn widest($($argument: $kind),*) -> $gives {
                $body($($argument),*)
            }
            #[target_feature(enable = "avx2")]
            fn wide($($argument: $kind),*) -> $gives {
                $body($($argument),*)
            }
            match $crate::wide::registers() {
                // SAFETY: this processor has these instructions; it was asked.
                $crate::wide::Registers::Widest => unsafe { widest($($argument),*) },
                // SAFETY: as above.
                $crate::wide::Registers::Wide => unsafe { wide($($argument),*) },
                $crate::wide::Registers::Any => $body($($argument),*),
            }
        }

        #[cfg(not(target_arch = "x86_64"))]
        $see fn $name($($argument: $kind),*) -> $gives {
            $body($($argument),*)
        }
    )*};
}
pub(crate) use wide;

/// What a processor has.
#[cfg(target_arch = "x86_64")]
pub(crate) enum Registers {
    /// What every one has.
    Any,
    /// 32 bytes.
    Wide,
    /// As wide, or wider, and instructions for numbers of any size.
    Widest,
}

/// What the one that is running has; the answers are kept where the question is asked.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn registers() -> Registers {
    if !is_x86_feature_detected!("avx2") {
        return Registers::Any;
    }
    let widest = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    if widest { Registers::Widest } else { Registers::Wide }
}
