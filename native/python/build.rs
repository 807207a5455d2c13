//! Builds the box library with a cargo of its own, in a target directory of its own (the outer cargo holds the lock of
//! the usual one), and hands its path to the crate, which carries its bytes. Always a release build: what the wheel
//! carries is what tests load.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let workspace = here.parent().expect("the crate lies in a workspace");
    let out = PathBuf::from(variable("OUT_DIR"));
    for path in
        ["box/src", "box/Cargo.toml", "tracer_backend/src", "tracer_backend/Cargo.toml", "Cargo.toml", "Cargo.lock"]
    {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
    println!("cargo::rerun-if-changed=build.rs");

    let linux = variable("CARGO_CFG_TARGET_OS") == "linux";
    let (library, architecture, libc) = if linux {
        (build(workspace, &out), variable("CARGO_CFG_TARGET_ARCH"), variable("CARGO_CFG_TARGET_ENV"))
    } else {
        (nothing(&out), String::new(), String::new())
    };
    println!("cargo::rustc-env=TRACEKIT_BOX_LIBRARY={}", library.display());
    println!("cargo::rustc-env=TRACEKIT_BOX_ARCHITECTURE={architecture}");
    println!("cargo::rustc-env=TRACEKIT_BOX_LIBC={libc}");
}

fn build(workspace: &Path, out: &Path) -> PathBuf {
    let target = variable("TARGET");
    let target_dir = out.join("box");
    let mut cargo = Command::new(variable("CARGO"));
    cargo
        .arg("build")
        .args(["--release", "--package", "tracekit-box", "--lib", "--target", &target])
        .arg("--manifest-path")
        .arg(workspace.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target_dir)
        // What wraps or checks the outer build is not meant for this one.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("CARGO_BUILD_TARGET_DIR")
        .env_remove("CARGO_TARGET_DIR");
    if variable("CARGO_CFG_TARGET_ENV") == "musl" {
        // A shared library needs the shared libc.
        cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=-crt-static");
    }
    let status = cargo.status().expect("cargo starts");
    assert!(status.success(), "the box library did not build: see cargo's words above");
    target_dir.join(target).join("release").join("libtracekit_box.so")
}

fn nothing(out: &Path) -> PathBuf {
    let empty = out.join("no-box-library");
    std::fs::write(&empty, []).expect("the build directory takes files");
    empty
}

fn variable(name: &str) -> String {
    env::var(name).expect("cargo sets it for build scripts")
}
