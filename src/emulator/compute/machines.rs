//! Machine types: which there are, with their processors and memory.
//!
//! All types of a public price list of August 2026 (`build/gcp.yml` of Cyclenerd/google-cloud-pricing-cost-calculator at dac3128), a few
//! that are reserved only, and custom types. Accelerators, local disks and which types GKE takes for nodes are left out.

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
        let arm = ["a4x-", "c4a-", "n4a-", "t2a-"];
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

/// Every other predefined type with a price: name, processors, memory in MB (`fixtures/README.md` names its origin). That an
/// `n1-highcpu-2` has 1843 MB is in a public listing of the API, too.
const PRICED: &str = include_str!("../../../fixtures/machine-types.txt");

/// Types that the price list leaves out, because they are reserved and not bought by the hour. That Google has them: its pages about
/// machine families; the figures: own knowledge, no record.
const RESERVED: &[(&str, u32, u32)] = &[
    ("a3-edgegpu-8g", 208, 1_916_928),
    ("a3-ultragpu-8g", 224, 3_022_848),
    ("a4-highgpu-8g", 224, 4_063_232),
    ("a4x-highgpu-4g", 140, 905_216),
    ("h4d-highmem-192-lssd", 192, 1_523_712),
    ("h4d-standard-192", 192, 737_280),
];

/// Families of which custom types can be made; one without a family is of `n1`. The rules for their sizes are rough here: that processors
/// and memory must fit each other, and differently in each family, is not checked.
const CUSTOM: &[&str] = &["e2", "n1", "n2", "n2d", "n4", "n4a", "n4d"];

/// Every predefined type.
pub fn all() -> impl Iterator<Item = Machine> {
    let shared = SHARED.iter().map(|row| (row, true));
    let reserved = RESERVED.iter().map(|row| (row, false));
    let tables = shared.chain(reserved);
    let rows = tables.map(|(&(name, cpus, memory), shared)| machine(name, cpus, memory, shared));
    rows.chain(PRICED.lines().filter_map(priced))
}

/// The type of a line of the price list.
fn priced(line: &str) -> Option<Machine> {
    let mut words = line.split(' ');
    let (name, cpus, memory) = (words.next()?, words.next()?, words.next()?);
    Some(machine(
        name,
        cpus.parse().ok()?,
        memory.parse().ok()?,
        false,
    ))
}

fn machine(name: &str, cpus: u32, memory: u32, shared: bool) -> Machine {
    Machine {
        name: name.to_owned(),
        cpus,
        memory,
        shared,
    }
}

/// The type of this name, predefined or custom (`n2-custom-4-8192`).
pub fn find(name: &str) -> Option<Machine> {
    all()
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
    fits.then(|| machine(name, cpus, memory, false))
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
            ("c3-standard-4-lssd", Some((4, 16_384, false))),
            ("c4d-highcpu-384-metal", Some((384, 786_432, false))),
            ("c4n-standard-2", Some((2, 7_168, false))),
            ("m3-megamem-64", Some((64, 999_424, false))),
            ("a2-highgpu-1g", Some((12, 87_040, false))),
            ("a4-highgpu-8g", Some((224, 4_063_232, false))),
            ("e2-custom-2-4096", Some((2, 4_096, false))),
            ("custom-2-4096", Some((2, 4_096, false))),
            ("e2-standard-3", None),
            ("e2-standard", None),
            ("e2-standard-4 4", None),
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
        assert_eq!(PRICED.lines().count(), 523);
        assert_eq!(PRICED.lines().filter_map(priced).count(), 523);
        let mut names: Vec<String> = all().map(|machine| machine.name).collect();
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
