//! The core needs neither `std` nor `alloc`: a program without both is compiled, linked and run.
//!
//! A target without `std` would prove less, as it is not run, and is not installed everywhere. If the crate used
//! `alloc` the program would not link, for want of a global allocator.

#![cfg(target_os = "linux")] // elsewhere the C runtime is linked in other ways

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn a_program_without_std_and_alloc_runs() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no_std");
    std::fs::create_dir_all(&out).expect("a directory for the program");
    let library = out.join("libgenerator.rlib");
    let program = out.join("program");

    rustc(&here.join("src/lib.rs"), &library, &["--crate-name=generator", "--crate-type=rlib"]);
    let link = format!("--extern=generator={}", library.display());
    rustc(
        &here.join("tests/no_std/program.rs"),
        &program,
        &["--crate-type=bin", "-Clink-arg=-lc", &link],
    );
    let status = Command::new(&program).status().expect("the program starts");
    assert_eq!(status.code(), Some(42));
}

/// Compiles one file. No feature is set, so this is the crate without its default features.
fn rustc(source: &Path, output: &Path, arguments: &[&str]) {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let done = Command::new(rustc)
        .args(["--edition=2024", "-Cpanic=abort", "-Copt-level=1"])
        .args(arguments)
        .arg("-o")
        .args([output, source])
        .output()
        .expect("the compiler starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
