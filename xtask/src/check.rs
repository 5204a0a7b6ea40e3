//! What can be checked without tests: what the sources say, and what they cost.

mod documents;
mod elders;
mod fence;
mod format;
mod layers;
pub(crate) mod licences;
mod lines;
pub(crate) mod targets;
mod wine;
mod words;

use crate::bench;
use crate::cargo;
use crate::count::growth;
use crate::report::{Report, verdict};
use crate::source;
use crate::tree;

/// Runs every check; each names what it found and where.
pub(crate) fn run(report: &mut Report) {
    format::run(report);
    let Some(files) = report.value("read the tree", || Ok(tree::files()?)) else {
        return;
    };
    let sources = source::sources(&files);
    report.step("layers of folders", || verdict(&layers::folders(&sources)));
    report.step("unsafe fence", || verdict(&fence::check(&files, &sources)));
    report.step("code lines", || verdict(&lines::crates(&sources)));
    report.step("function lengths", || verdict(&lines::functions(&sources)));
    report.step("example lengths", || verdict(&lines::examples(&files)));
    report.step("words", || verdict(&words::check(&files)));
    report.step("documents", || verdict(&documents::check(&files)));
    report.step("elders", || verdict(&elders::check(&files)));
    let Some(metadata) = report.value("read the dependencies", cargo::metadata) else {
        return;
    };
    report.step("layers of crates", || verdict(&layers::crates(&metadata)));
    report.step("licences", || verdict(&licences::check(&metadata)));
    // What it compiles is too much for this; whoever measures builds it.
    report.command("rustfmt of the benchmarks", bench::inside(["fmt", "--all", "--check"]));
    report.step("licences of the benchmarks", || {
        verdict(&licences::check(&cargo::metadata_of(bench::inside([]))?))
    });
    growth::run(report);
}

/// The benchmarks, which compile everybody they measure beside the loop: lints, and whether those do what
/// they promise.
pub(crate) fn run_bench(report: &mut Report) {
    let clippy = ["clippy", "--quiet", "--all-targets", "--", "--deny", "warnings"];
    report.command("clippy of the benchmarks", bench::inside(clippy));
    report.command("tests of the benchmarks", bench::inside(["test", "--no-fail-fast"]));
}
