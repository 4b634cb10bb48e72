//! Machine types: which there are, with their processors and memory.
//!
//! The families for general use and those for computing that GKE's nodes are made of, and custom types of them. Names, processors and
//! memory are those of a public price list of August 2026 (`build/gcp.yml` of Cyclenerd/google-cloud-pricing-cost-calculator at dac3128).
//! Left out, and so refused here though Google has them: types with local disks (`-lssd`), bare metal, C4N, memory-optimized types, and
//! accelerators other than G2.

use crate::regions;

/// A machine type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// `e2-standard-4`.
    pub name: String,
    /// Virtual processors.
    pub cpus: u32,
    /// Memory in MB.
    pub memory: u32,
    /// Whether the processors are shared.
    pub shared: bool,
}

impl Machine {
    /// `X86_64` or `ARM64`.
    pub fn architecture(&self) -> &'static str {
        let arm = ["c4a-", "n4a-", "t2a-"];
        if arm.iter().any(|family| self.name.starts_with(family)) {
            "ARM64"
        } else {
            "X86_64"
        }
    }

    /// Whether a zone has machines of this type. All zones have all types here but those of T2A, see [`regions`]; which zones have
    /// the other families is unknown.
    pub fn is_in(&self, zone: &str) -> bool {
        !self.name.starts_with("t2a-") || regions::has_ampere_altra(zone)
    }
}

/// Types with shared processors, which do not follow a rule.
const SHARED: &[(&str, u32, u32)] = &[
    ("e2-micro", 2, 1_024),
    ("e2-small", 2, 2_048),
    ("e2-medium", 2, 4_096),
    ("f1-micro", 1, 614),
    ("g1-small", 1, 1_740),
];

/// A family, a class in it, the memory of each processor in MB, and the numbers of processors: where memory grows with processors.
const FAMILIES: &[(&str, &str, u32, &[u32])] = &[
    ("c2", "standard", 4_096, &[4, 8, 16, 30, 60]),
    ("c2d", "highcpu", 2_048, &[2, 4, 8, 16, 32, 56, 112]),
    ("c2d", "highmem", 8_192, &[2, 4, 8, 16, 32, 56, 112]),
    ("c2d", "standard", 4_096, &[2, 4, 8, 16, 32, 56, 112]),
    ("c3", "highcpu", 2_048, &[4, 8, 22, 44, 88, 176]),
    ("c3", "highmem", 8_192, &[4, 8, 22, 44, 88, 176]),
    ("c3", "standard", 4_096, &[4, 8, 22, 44, 88, 176]),
    ("c3d", "highmem", 8_192, &[4, 8, 16, 30, 60, 90, 180, 360]),
    ("c3d", "standard", 4_096, &[4, 8, 16, 30, 60, 90, 180, 360]),
    ("e2", "highcpu", 1_024, &[2, 4, 8, 16, 32]),
    ("e2", "highmem", 8_192, &[2, 4, 8, 16]),
    ("e2", "standard", 4_096, &[2, 4, 8, 16, 32]),
    ("g2", "standard", 4_096, &[4, 8, 12, 16, 24, 32, 48, 96]),
    ("n1", "highmem", 6_656, &[2, 4, 8, 16, 32, 64, 96]),
    ("n1", "standard", 3_840, &[1, 2, 4, 8, 16, 32, 64, 96]),
    ("n2", "highcpu", 1_024, &[2, 4, 8, 16, 32, 48, 64, 80, 96]),
    ("n2", "highmem", 8_192, &[2, 4, 8, 16, 32, 48, 64, 80, 96]),
    (
        "n2",
        "standard",
        4_096,
        &[2, 4, 8, 16, 32, 48, 64, 80, 96, 128],
    ),
    (
        "n2d",
        "highcpu",
        1_024,
        &[2, 4, 8, 16, 32, 48, 64, 80, 96, 128, 224],
    ),
    ("n2d", "highmem", 8_192, &[2, 4, 8, 16, 32, 48, 64, 80, 96]),
    (
        "n2d",
        "standard",
        4_096,
        &[2, 4, 8, 16, 32, 48, 64, 80, 96, 128, 224],
    ),
    ("n4", "highcpu", 2_048, &[2, 4, 8, 16, 32, 48, 64, 80]),
    ("n4", "highmem", 8_192, &[2, 4, 8, 16, 32, 48, 64, 80]),
    ("n4", "standard", 4_096, &[2, 4, 8, 16, 32, 48, 64, 80]),
    ("c4a", "highcpu", 2_048, &[1, 2, 4, 8, 16, 32, 48, 64, 72]),
    ("c4a", "highmem", 8_192, &[1, 2, 4, 8, 16, 32, 48, 64, 72]),
    ("c4a", "standard", 4_096, &[1, 2, 4, 8, 16, 32, 48, 64, 72]),
    ("n4a", "highcpu", 2_048, &[1, 2, 4, 8, 16, 32, 48, 64]),
    ("n4a", "highmem", 8_192, &[1, 2, 4, 8, 16, 32, 48, 64]),
    ("n4a", "standard", 4_096, &[1, 2, 4, 8, 16, 32, 48, 64]),
    ("n4d", "highcpu", 2_048, &[2, 4, 8, 16, 32, 48, 64, 80, 96]),
    ("n4d", "highmem", 8_192, &[2, 4, 8, 16, 32, 48, 64, 80, 96]),
    ("n4d", "standard", 4_096, &[2, 4, 8, 16, 32, 48, 64, 80, 96]),
    ("t2a", "standard", 4_096, &[1, 2, 4, 8, 16, 32, 48]),
    ("t2d", "standard", 4_096, &[1, 2, 4, 8, 16, 32, 48, 60]),
];

/// A class of a family, and processors with their memory in MB: where memory does not grow with processors, or not in whole MB (that an
/// `n1-highcpu-2` has 1843 MB is in a public listing of the API).
const UNEVEN: &[UnevenClass] = &[
    (
        "c3d",
        "highcpu",
        &[
            (4, 8_192),
            (8, 16_384),
            (16, 32_768),
            (30, 60_416),
            (60, 120_832),
            (90, 181_248),
            (180, 362_496),
            (360, 724_992),
        ],
    ),
    (
        "c4",
        "highcpu",
        &[
            (2, 4_096),
            (4, 8_192),
            (8, 16_384),
            (16, 32_768),
            (24, 49_152),
            (32, 65_536),
            (48, 98_304),
            (96, 196_608),
            (144, 294_912),
            (192, 393_216),
            (288, 589_824),
        ],
    ),
    (
        "c4",
        "highmem",
        &[
            (2, 15_360),
            (4, 31_744),
            (8, 63_488),
            (16, 126_976),
            (24, 190_464),
            (32, 253_952),
            (48, 380_928),
            (96, 761_856),
            (144, 1_142_784),
            (192, 1_523_712),
            (288, 2_285_568),
        ],
    ),
    (
        "c4",
        "standard",
        &[
            (2, 7_168),
            (4, 15_360),
            (8, 30_720),
            (16, 61_440),
            (24, 92_160),
            (32, 122_880),
            (48, 184_320),
            (96, 368_640),
            (144, 552_960),
            (192, 737_280),
            (288, 1_105_920),
        ],
    ),
    (
        "c4d",
        "highcpu",
        &[
            (2, 3_072),
            (4, 7_168),
            (8, 15_360),
            (16, 30_720),
            (32, 61_440),
            (48, 92_160),
            (64, 122_880),
            (96, 184_320),
            (192, 368_640),
            (384, 737_280),
        ],
    ),
    (
        "c4d",
        "highmem",
        &[
            (2, 15_360),
            (4, 31_744),
            (8, 64_512),
            (16, 129_024),
            (32, 258_048),
            (48, 387_072),
            (64, 516_096),
            (96, 774_144),
            (192, 1_548_288),
            (384, 3_096_576),
        ],
    ),
    (
        "c4d",
        "standard",
        &[
            (2, 7_168),
            (4, 15_360),
            (8, 31_744),
            (16, 63_488),
            (32, 126_976),
            (48, 190_464),
            (64, 253_952),
            (96, 380_928),
            (192, 761_856),
            (384, 1_523_712),
        ],
    ),
    (
        "n1",
        "highcpu",
        &[
            (2, 1_843),
            (4, 3_686),
            (8, 7_373),
            (16, 14_746),
            (32, 29_491),
            (64, 58_982),
            (96, 88_474),
        ],
    ),
    ("n2", "highmem", &[(128, 884_736)]),
];

/// A row of [`UNEVEN`].
type UnevenClass = (&'static str, &'static str, &'static [(u32, u32)]);

/// Families of which custom types can be made; one without a family is of `n1`. The rules for their sizes are rough here: that processors
/// and memory must fit each other, and differently in each family, is not checked.
const CUSTOM: &[&str] = &["e2", "n1", "n2", "n2d", "n4"];

/// Every predefined type.
pub fn all() -> Vec<Machine> {
    let shared = SHARED.iter().map(|(name, cpus, memory)| Machine {
        name: (*name).to_owned(),
        cpus: *cpus,
        memory: *memory,
        shared: true,
    });
    let others = FAMILIES.iter().flat_map(|(family, class, each, sizes)| {
        sizes.iter().map(move |cpus| Machine {
            name: format!("{family}-{class}-{cpus}"),
            cpus: *cpus,
            memory: each * cpus,
            shared: false,
        })
    });
    let uneven = UNEVEN.iter().flat_map(|(family, class, sizes)| {
        sizes.iter().map(move |(cpus, memory)| Machine {
            name: format!("{family}-{class}-{cpus}"),
            cpus: *cpus,
            memory: *memory,
            shared: false,
        })
    });
    shared.chain(others).chain(uneven).collect()
}

/// The type of this name, predefined or custom (`n2-custom-4-8192`).
pub fn find(name: &str) -> Option<Machine> {
    all()
        .into_iter()
        .find(|machine| machine.name == name)
        .or_else(|| custom(name))
}

/// The type of this name, if a zone has it.
pub fn find_in(zone: &str, name: &str) -> Option<Machine> {
    find(name).filter(|machine| machine.is_in(zone))
}

fn custom(name: &str) -> Option<Machine> {
    let name = name.strip_suffix("-ext").unwrap_or(name);
    let (family, rest) = match name.strip_prefix("custom-") {
        Some(rest) => ("n1", rest),
        None => name.split_once("-custom-")?,
    };
    let (cpus, memory) = rest.split_once('-')?;
    let (cpus, memory): (u32, u32) = (cpus.parse().ok()?, memory.parse().ok()?);
    // Steps of 256 MB: own knowledge, no record.
    let fits =
        CUSTOM.contains(&family) && (1..=128).contains(&cpus) && memory >= 256 && memory % 256 == 0;
    fits.then(|| Machine {
        name: name.to_owned(),
        cpus,
        memory,
        shared: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_types_are_found_by_name() {
        for (name, want) in [
            ("e2-medium", Some((2, 4_096, true))),
            ("e2-standard-4", Some((4, 16_384, false))),
            ("n1-standard-1", Some((1, 3_840, false))),
            ("n1-highcpu-2", Some((2, 1_843, false))),
            ("n2-highmem-128", Some((128, 884_736, false))),
            ("c3d-highcpu-30", Some((30, 60_416, false))),
            ("c4-standard-2", Some((2, 7_168, false))),
            ("c4a-standard-1", Some((1, 4_096, false))),
            ("c4d-highcpu-4", Some((4, 7_168, false))),
            ("e2-custom-2-4096", Some((2, 4_096, false))),
            ("custom-2-4096", Some((2, 4_096, false))),
            ("e2-standard-3", None),
            ("e2-huge", None),
            ("x9-custom-2-4096", None),
            ("e2-custom-2-4097", None),
            ("", None),
        ] {
            let found = find(name).map(|machine| (machine.cpus, machine.memory, machine.shared));
            assert_eq!(found, want, "{name}");
        }
    }

    #[test]
    fn no_type_is_there_twice_and_arm_is_told_apart() {
        let mut names: Vec<String> = all().into_iter().map(|machine| machine.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for (name, want) in [
            ("t2a-standard-4", "ARM64"),
            ("c4a-highmem-8", "ARM64"),
            ("c4-highmem-8", "X86_64"),
            ("t2d-standard-4", "X86_64"),
        ] {
            assert_eq!(find(name).map(|machine| machine.architecture()), Some(want));
        }
    }

    #[test]
    fn arm_machines_of_the_first_series_are_in_few_zones() {
        for (zone, name, want) in [
            ("us-central1-a", "t2a-standard-4", true),
            ("us-central1-c", "t2a-standard-4", false),
            ("us-central1-c", "t2d-standard-4", true),
            ("us-central1-c", "t2a-standard-5", false),
        ] {
            assert_eq!(find_in(zone, name).is_some(), want, "{zone} {name}");
        }
    }
}
