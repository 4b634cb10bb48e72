//! The analyzers' findings as text: the problem, and what to write instead.

use std::fmt::Write;

use super::table::folded;
use super::{Paint, plain};
use egress::analyze::{Code, ControlPlane, Finding, Level};

/// The findings, the most severe first.
pub fn text(
    found: &[Finding],
    control_plane: ControlPlane,
    namespace: Option<&str>,
    paint: Paint,
) -> String {
    let mut text = String::new();
    for finding in found {
        let level = match finding.code.level() {
            Level::Error => paint.bad("error"),
            Level::Warning => paint.change("warning"),
            Level::Unknown => paint.change("unknown"),
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
    let of = namespace.map_or("any namespace".to_owned(), |name| {
        format!("namespace {name}")
    });
    if istio == 0 {
        let _ = writeln!(text, "istioctl's analyzers report no issue in {of}");
    }
    let unsupported = |finding: &Finding| {
        matches!(
            finding.code,
            Code::NotSupportedByTrafficDirector | Code::SubsetsOutsideNamespaceOfService
        )
    };
    if control_plane == ControlPlane::TrafficDirector && !found.iter().any(unsupported) {
        let _ = writeln!(
            text,
            "nothing in {of} that Google names as not supported by Traffic Director"
        );
    }
    text
}
