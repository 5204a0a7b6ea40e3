//! The licences of everything that a build brings along.

mod spdx;

use serde_json::Value;

/// Licences under which code may be passed on together with ours, under either of our two.
const ALLOWED: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Every package can be had under allowed licences.
pub(crate) fn check(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    packages.iter().filter_map(finding).collect()
}

fn finding(package: &Value) -> Option<String> {
    let name = package["name"].as_str().unwrap_or("a package without a name");
    let Some(licence) = package["license"].as_str() else {
        return Some(format!("{name}: states no licence"));
    };
    match spdx::satisfied(licence, &ALLOWED) {
        Some(true) => None,
        Some(false) => Some(format!("{name}: {licence} is not allowed")),
        None => Some(format!("{name}: {licence} cannot be read")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn findings(licence: &Value) -> Vec<String> {
        check(&json!({ "packages": [{ "name": "a", "license": licence }] }))
    }

    #[test]
    fn what_may_not_be_passed_on_is_refused() {
        assert!(findings(&json!("MIT OR GPL-3.0-only")).is_empty());
        assert_eq!(findings(&json!("GPL-3.0-only")), ["a: GPL-3.0-only is not allowed"]);
        assert_eq!(findings(&json!(null)), ["a: states no licence"]);
        assert_eq!(findings(&json!("MIT AND")), ["a: MIT AND cannot be read"]);
    }
}
