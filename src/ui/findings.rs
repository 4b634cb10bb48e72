//! The analyzers' findings as text: the problem, and what to write instead.

use std::fmt::Write;

use super::table::folded;
use super::{Paint, plain};
use egress::analyze::{Finding, Level};

/// The findings, the most severe first.
pub fn text(found: &[Finding], namespace: Option<&str>, paint: Paint) -> String {
    let mut text = String::new();
    for finding in found {
        let level = match finding.code.level() {
            Level::Error => paint.bad("error"),
            Level::Warning => paint.change("warning"),
            Level::Info | Level::Note => paint.faint("note"),
        };
        let object = plain(&finding.object.to_string());
        let _ = writeln!(text, "{level} {} {object}", finding.code);
        let instead = format!("instead: {}", plain(&finding.instead));
        for said in [plain(&finding.message), instead] {
            text += &folded("  ", &said);
        }
    }
    let istio = found
        .iter()
        .filter(|finding| finding.code.is_istio())
        .count();
    if istio == 0 {
        let of = namespace.map_or("any namespace".to_owned(), |name| {
            format!("namespace {name}")
        });
        let _ = writeln!(text, "istioctl's analyzers report no issue in {of}");
    }
    text
}
