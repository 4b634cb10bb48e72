//! Names of what Traffic Director makes: `gsmrsvd-<identifier of the cluster>-<identifier of the Service>`, and
//! `gke-csm-thc-<8 hexadecimal digits>`.
//!
//! Public names have 22 letters and digits for the cluster and 8 for the rest. How Google computes them is unknown; here they
//! depend on the cluster's id and on the Service's name alone.

use crate::names;

/// How every reserved name begins.
pub const PREFIX: &str = "gsmrsvd-";

/// The name of the backend service, health check and endpoint groups of a Service (`namespace/name`) in the cluster with this id.
pub fn reserved(cluster_id: &str, service: &str) -> String {
    format!(
        "{PREFIX}{}-{}",
        letters(cluster_id, 22),
        letters(service, 8)
    )
}

/// The name of the firewall rule for health checks.
pub fn rule(cluster_id: &str) -> String {
    let hash = names::hex(&format!("{cluster_id} csm-thc"), 8);
    format!("gke-csm-thc-{hash}")
}

/// `count` lowercase letters and digits that depend on `seed` alone.
fn letters(seed: &str, count: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    (0..count)
        .map(|at| {
            let drawn = names::hash(&format!("{seed} {at}")) % 36;
            char::from(LETTERS[usize::try_from(drawn).unwrap_or_default()])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::pattern::fits_pattern;

    #[test]
    fn a_name_has_the_public_form_and_says_whose_it_is() {
        let cases = [
            ("0a1b2c3d", "team-x/test"),
            ("4e5f", "kube-system/kube-dns"),
        ];
        for (cluster, service) in cases {
            let name = reserved(cluster, service);
            assert!(
                fits_pattern("gsmrsvd-[a-z0-9]{22}-[a-z0-9]{8}", &name),
                "{name}"
            );
            assert_eq!(name, reserved(cluster, service));
            assert!(fits_pattern("gke-csm-thc-[0-9a-f]{8}", &rule(cluster)));
        }
        let other: BTreeSet<String> = [("1", "a/b"), ("2", "a/b"), ("1", "a/c")]
            .map(|(cluster, service)| reserved(cluster, service))
            .into();
        assert_eq!(other.len(), 3);
        assert_eq!(
            reserved("1", "a/b").rsplit_once('-').map(|(_, end)| end),
            reserved("2", "a/b").rsplit_once('-').map(|(_, end)| end),
        );
    }
}
