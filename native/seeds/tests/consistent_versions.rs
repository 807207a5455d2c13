//! One version for all.

include!("fragments/consistent_versions.rs");
