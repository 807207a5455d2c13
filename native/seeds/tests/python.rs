//! The Python tests, driven from here, so that one `cargo test` runs everything that needs no console. Where something
//! else drives them already (`TRACEKIT_NESTED`), they are left to it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

const NESTED: &str = "TRACEKIT_NESTED";
/// Many times what they take.
const PATIENCE: Duration = Duration::from_secs(1200);
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// Runs it to its end, or to the end of all patience, with everything that it started.
fn succeeds(command: &mut Command) -> Result<(), String> {
    let begun = Instant::now();
    let mut child = command.process_group(0).stdin(Stdio::null()).spawn().map_err(|fault| fault.to_string())?;
    loop {
        match child.try_wait().map_err(|fault| fault.to_string())? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(status.to_string()),
            None if begun.elapsed() > PATIENCE => break,
            None => thread::sleep(BETWEEN_LOOKS),
        }
    }
    let group = format!("-{}", child.id());
    let ended = Command::new("kill").args(["-KILL", "--", &group]).status();
    Err(format!("no end after {PATIENCE:?}; ended: {ended:?}, {:?}", child.wait()))
}

/// Where the tests are and what runs them; without an environment, the command that makes one.
fn pytest(root: &Path) -> Result<Command, String> {
    let python = root.join(".venv/bin/python");
    if !python.exists() {
        return Err(format!("{} is missing: run `make setup` in {}", python.display(), root.display()));
    }
    let mut command = Command::new(python);
    command.args(["-m", "pytest", "-q", "-n", "2", "-m", "not slow", "-p", "no:cacheprovider"]);
    command.args(["tests/unit", "tests/seeds"].iter().filter(|folder| root.join(folder).is_dir()));
    command.current_dir(root).env(NESTED, "1");
    Ok(command)
}

#[test]
fn python__unit_tests_and_contracts__then_succeed() {
    if env::var_os(NESTED).is_some() {
        println!("left to whoever set {NESTED}");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let outcome = pytest(&root).and_then(|mut command| succeeds(&mut command));
    assert_eq!(outcome, Ok(()));
}

#[test]
fn python__without_an_environment__then_the_command_that_makes_one_is_named() {
    let fault = pytest(Path::new("nowhere")).unwrap_err();
    assert!(fault.ends_with("run `make setup` in nowhere"), "{fault}");
}

#[test]
fn command__that_fails__then_its_status_is_told() {
    assert_eq!(succeeds(&mut Command::new("true")), Ok(()));
    assert_eq!(succeeds(&mut Command::new("false")), Err("exit status: 1".to_owned()));
}
