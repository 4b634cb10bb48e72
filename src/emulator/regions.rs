//! Regions and zones: which there are. Every service that takes a location asks here.
//!
//! Regions are those for which Compute's discovery document (revision 20261106, the untrimmed one) names an endpoint. Their zones are those
//! of a listing of the real API (`gcloud compute zones list` of July 2025, `mockgcp/common/regions/zones.json` in
//! GoogleCloudPlatform/k8s-config-connector at cdb85ecf1708). Newer than that listing are:
//! - the zones of `asia-southeast3`, which public tables and scripts name;
//! - AI zones, which belong to a region like others: `us-central1-ai1a` and `us-south1-ai1b` are in Cloud Storage's page "AI zones" of April
//!   2026, `europe-west4-ai1a` is in scripts and reports of people who run machines there.
//!
//! Whether there are more AI zones by now is unknown. Which machines a zone has is not modelled, with one exception: Arm machines of
//! the T2A series are in eight zones only.

/// A region with the ends of its zones' names.
const REGIONS: &[(&str, &str)] = &[
    ("africa-south1", "a b c"),
    ("asia-east1", "a b c"),
    ("asia-east2", "a b c"),
    ("asia-northeast1", "a b c"),
    ("asia-northeast2", "a b c"),
    ("asia-northeast3", "a b c"),
    ("asia-south1", "a b c"),
    ("asia-south2", "a b c"),
    ("asia-southeast1", "a b c"),
    ("asia-southeast2", "a b c"),
    ("asia-southeast3", "a b c"),
    ("australia-southeast1", "a b c"),
    ("australia-southeast2", "a b c"),
    ("europe-central2", "a b c"),
    ("europe-north1", "a b c"),
    ("europe-north2", "a b c"),
    ("europe-southwest1", "a b c"),
    ("europe-west1", "b c d"),
    ("europe-west2", "a b c"),
    ("europe-west3", "a b c"),
    ("europe-west4", "a b c ai1a"),
    ("europe-west6", "a b c"),
    ("europe-west8", "a b c"),
    ("europe-west9", "a b c"),
    ("europe-west10", "a b c"),
    ("europe-west12", "a b c"),
    ("me-central1", "a b c"),
    ("me-central2", "a b c"),
    ("me-west1", "a b c"),
    ("northamerica-northeast1", "a b c"),
    ("northamerica-northeast2", "a b c"),
    ("northamerica-south1", "a b c"),
    ("southamerica-east1", "a b c"),
    ("southamerica-west1", "a b c"),
    ("us-central1", "a b c f ai1a"),
    ("us-east1", "b c d"),
    ("us-east4", "a b c"),
    ("us-east5", "a b c"),
    ("us-south1", "a b c ai1b"),
    ("us-west1", "a b c"),
    ("us-west2", "a b c"),
    ("us-west3", "a b c"),
    ("us-west4", "a b c"),
];

/// The names of all regions.
pub fn regions() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|(region, _)| *region)
}

/// The names of all zones.
pub fn zones() -> impl Iterator<Item = String> {
    regions().flat_map(zones_of)
}

/// The zones of a region; none of what is no region.
pub fn zones_of(region: &str) -> Vec<String> {
    let ends = REGIONS.iter().find(|(name, _)| *name == region);
    ends.into_iter()
        .flat_map(|(name, ends)| ends.split(' ').map(move |end| format!("{name}-{end}")))
        .collect()
}

/// The three zones in which a regional resource has machines, in no particular order. AI zones are never chosen.
pub fn standard_zones(region: &str) -> Vec<String> {
    let mut all = zones_of(region);
    all.truncate(3);
    all.rotate_right(1);
    all
}

/// The zones that have Ampere Altra processors, as the listing says, and so the machines of the T2A series.
const AMPERE_ALTRA: &[&str] = &[
    "asia-southeast1-b",
    "asia-southeast1-c",
    "europe-west4-a",
    "europe-west4-b",
    "europe-west4-c",
    "us-central1-a",
    "us-central1-b",
    "us-central1-f",
];

/// Whether a zone has Ampere Altra processors.
pub fn has_ampere_altra(zone: &str) -> bool {
    AMPERE_ALTRA.contains(&zone)
}

/// Whether it is a region.
pub fn is_region(name: &str) -> bool {
    regions().any(|region| region == name)
}

/// Whether it is a zone.
pub fn is_zone(name: &str) -> bool {
    zones().any(|zone| zone == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_google_has_is_a_region_or_a_zone() {
        for region in [
            "us-central1",
            "me-central2",
            "europe-north2",
            "northamerica-south1",
            "asia-southeast3",
        ] {
            assert!(is_region(region) && !is_zone(region), "{region}");
        }
        for zone in [
            "us-central1-a",
            "us-central1-f",
            "us-central1-ai1a",
            "me-central2-a",
            "europe-north2-b",
            "northamerica-south1-c",
            "us-east1-d",
            "us-south1-ai1b",
            "europe-west4-ai1a",
        ] {
            assert!(is_zone(zone) && !is_region(zone), "{zone}");
        }
        for neither in [
            "us-central1-x",
            "us-central1-d",
            "us-east1-a",
            "us-central1-ai1b",
            "us-central9",
            "us-central",
            "global",
            "",
            "US-central1",
        ] {
            assert!(!is_zone(neither) && !is_region(neither), "{neither}");
        }
    }

    #[test]
    fn zones_with_a_processor_exist() {
        for zone in AMPERE_ALTRA {
            assert!(is_zone(zone), "{zone}");
        }
        assert!(has_ampere_altra("us-central1-a") && !has_ampere_altra("us-central1-c"));
    }

    #[test]
    fn a_regional_resource_is_in_three_standard_zones() {
        for (region, want) in [
            (
                "us-central1",
                ["us-central1-c", "us-central1-a", "us-central1-b"],
            ),
            (
                "europe-west1",
                ["europe-west1-d", "europe-west1-b", "europe-west1-c"],
            ),
        ] {
            assert_eq!(standard_zones(region), want);
        }
    }
}
