//! Machine types: which there are, with their processors and memory.
//!
//! The general families that GKE's nodes are made of, and custom types of these families. Source: Google's pages about machine
//! families. Accelerators, local disks and which zone has which type are left out.

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
        if self.name.starts_with("t2a-") {
            "ARM64"
        } else {
            "X86_64"
        }
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

/// A family, a class in it, the memory of each processor in MB, and the numbers of processors.
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
    ("n1", "highcpu", 922, &[2, 4, 8, 16, 32, 64, 96]),
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
    ("t2a", "standard", 4_096, &[1, 2, 4, 8, 16, 32, 48]),
    ("t2d", "standard", 4_096, &[1, 2, 4, 8, 16, 32, 48, 60]),
];

/// Families of which custom types can be made; one without a family is of `n1`.
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
    shared.chain(others).collect()
}

/// The type of this name, predefined or custom (`n2-custom-4-8192`).
pub fn find(name: &str) -> Option<Machine> {
    all()
        .into_iter()
        .find(|machine| machine.name == name)
        .or_else(|| custom(name))
}

fn custom(name: &str) -> Option<Machine> {
    let name = name.strip_suffix("-ext").unwrap_or(name);
    let (family, rest) = match name.strip_prefix("custom-") {
        Some(rest) => ("n1", rest),
        None => name.split_once("-custom-")?,
    };
    let (cpus, memory) = rest.split_once('-')?;
    let (cpus, memory): (u32, u32) = (cpus.parse().ok()?, memory.parse().ok()?);
    // Memory comes in steps of 256 MB.
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
}
