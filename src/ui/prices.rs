//! Google's list prices of what the tutorial runs, to say what an environment costs an hour. A table with its date: it is not
//! asked of Google, has no discounts, credits or taxes, and knows no traffic.
//!
//! Sources: machines and disks are of Google's Cloud Billing Catalog, as the price file of
//! github.com/Cyclenerd/google-cloud-pricing-cost-calculator has them (generated 2025-03-06, commit 0166a59), the price of a vCPU
//! and of a GB computed from e2-standard and e2-highcpu; the cluster's fee is from cloud.google.com/kubernetes-engine/pricing, NAT
//! from cloud.google.com/nat/pricing.

/// The date of the table.
pub const DATE: &str = "2025-03-06";

/// Dollars an hour for a cluster of any size.
const CLUSTER: f64 = 0.10;
/// Dollars an hour for each machine behind a NAT; from 32 machines on it is the same for any number.
const NAT_MACHINE: f64 = 0.0014;
const NAT_MACHINES: u64 = 32;
/// Dollars an hour for each external address of a NAT.
const NAT_ADDRESS: f64 = 0.005;
/// The hours of a month, as Google counts them.
const MONTH: f64 = 730.0;

/// A region: dollars an hour for a vCPU and for a GB of memory of an E2 machine, dollars a month for a GB of a balanced disk.
type Region = (&'static str, f64, f64, f64);

/// By region.
const REGIONS: &[Region] = &[
    ("africa-south1", 0.028_530, 0.003_824, 0.1308),
    ("asia-east1", 0.025_255, 0.003_385, 0.1),
    ("asia-east2", 0.030_519, 0.004_090, 0.11),
    ("asia-northeast1", 0.028_026, 0.003_739, 0.13),
    ("asia-northeast2", 0.028_026, 0.003_739, 0.13),
    ("asia-northeast3", 0.028_026, 0.003_739, 0.13),
    ("asia-south1", 0.026_199, 0.003_511, 0.12),
    ("asia-south2", 0.026_199, 0.003_511, 0.12),
    ("asia-southeast1", 0.026_909, 0.003_606, 0.11),
    ("asia-southeast2", 0.029_331, 0.003_930, 0.13),
    ("australia-southeast1", 0.030_951, 0.004_148, 0.135),
    ("australia-southeast2", 0.026_308, 0.003_525, 0.135),
    ("europe-central2", 0.028_104, 0.003_766, 0.13),
    ("europe-north1", 0.024_016, 0.003_218, 0.11),
    ("europe-north2", 0.022_902, 0.003_070, 0.1),
    ("europe-southwest1", 0.025_738, 0.003_450, 0.12),
    ("europe-west1", 0.023_993, 0.003_216, 0.1),
    ("europe-west10", 0.033_590, 0.004_502, 0.154),
    ("europe-west12", 0.028_137, 0.003_771, 0.12),
    ("europe-west2", 0.028_104, 0.003_766, 0.12),
    ("europe-west3", 0.028_104, 0.003_766, 0.12),
    ("europe-west4", 0.024_013, 0.003_218, 0.11),
    ("europe-west6", 0.030_519, 0.004_090, 0.13),
    ("europe-west8", 0.025_302, 0.003_391, 0.116),
    ("europe-west9", 0.025_302, 0.003_391, 0.116),
    ("me-central1", 0.026_501, 0.003_552, 0.1215),
    ("me-central2", 0.034_899, 0.004_678, 0.16),
    ("me-west1", 0.023_993, 0.003_216, 0.11),
    ("northamerica-northeast1", 0.024_013, 0.003_218, 0.11),
    ("northamerica-northeast2", 0.024_013, 0.003_218, 0.11),
    ("northamerica-south1", 0.023_775, 0.003_187, 0.109),
    ("southamerica-east1", 0.034_624, 0.004_640, 0.15),
    ("southamerica-west1", 0.031_191, 0.004_181, 0.143),
    ("us-central1", 0.021_812, 0.002_924, 0.1),
    ("us-east1", 0.021_812, 0.002_924, 0.1),
    ("us-east4", 0.024_567, 0.003_292, 0.11),
    ("us-east5", 0.021_812, 0.002_924, 0.1),
    ("us-south1", 0.025_738, 0.003_450, 0.12),
    ("us-west1", 0.021_812, 0.002_924, 0.1),
    ("us-west2", 0.026_199, 0.003_511, 0.12),
    ("us-west3", 0.026_199, 0.003_511, 0.12),
    ("us-west4", 0.024_567, 0.003_292, 0.11),
];

/// What runs, and is paid for by the hour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    /// Clusters.
    pub clusters: u64,
    /// Nodes: their machine type, their number, and the GB of the disk of each.
    pub nodes: Vec<(String, u64, u64)>,
    /// NAT gateways.
    pub gateways: u64,
    /// External addresses of those.
    pub addresses: u64,
}

/// Dollars an hour; none for a region or a machine type that the table does not have.
pub fn an_hour(region: &str, running: &Running) -> Option<f64> {
    let (_, cpu, memory, disk) = REGIONS.iter().find(|(name, ..)| *name == region)?;
    let mut sum = CLUSTER * count(running.clusters);
    let mut machines = 0;
    for (machine, number, disk_size) in &running.nodes {
        let (cpus, gigabytes) = size(machine)?;
        let each = cpu * cpus + memory * gigabytes + disk * count(*disk_size) / MONTH;
        sum += each * count(*number);
        machines += number;
    }
    let behind_nat = count(machines.min(NAT_MACHINES)) * NAT_MACHINE;
    Some(sum + behind_nat * count(running.gateways) + NAT_ADDRESS * count(running.addresses))
}

/// The vCPUs and the GB of memory of a machine type of the E2 family.
fn size(machine: &str) -> Option<(f64, f64)> {
    let (family, cpus) = machine.rsplit_once('-')?;
    let cpus: u32 = cpus.parse().ok()?;
    let of_each = match family {
        "e2-standard" => 4.0,
        "e2-highmem" => 8.0,
        "e2-highcpu" => 1.0,
        _ => return None,
    };
    let cpus = f64::from(cpus);
    Some((cpus, cpus * of_each))
}

/// A number of things.
fn count(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tutorial(machine: &str) -> Running {
        Running {
            clusters: 1,
            nodes: vec![(machine.to_owned(), 3, 100), (machine.to_owned(), 1, 100)],
            gateways: 1,
            addresses: 1,
        }
    }

    #[test]
    fn an_hour_costs_what_the_parts_cost() {
        for (region, machine, dollars) in [
            // 4 x 0.134 for machines, 0.055 for disks, 0.10 for the cluster, 0.011 for NAT.
            ("us-central1", "e2-standard-4", Some("0.70")),
            ("europe-west1", "e2-standard-4", Some("0.76")),
            ("us-central1", "e2-standard-8", Some("1.24")),
            ("us-central1", "e2-highcpu-4", Some("0.56")),
            ("us-central1", "n2-standard-4", None),
            ("us-central1", "e2-standard-many", None),
            ("mars-north1", "e2-standard-4", None),
        ] {
            let said = an_hour(region, &tutorial(machine)).map(|sum| format!("{sum:.2}"));
            assert_eq!(said.as_deref(), dollars, "{region} {machine}");
        }
        assert_eq!(an_hour("us-central1", &Running::default()), Some(0.0));
    }

    #[test]
    fn the_table_has_googles_own_prices_of_machines() {
        // Of the same source, as it states them for whole machines.
        for (region, machine, dollars) in [
            ("us-central1", "e2-standard-4", 0.134_022_84),
            ("asia-east1", "e2-standard-4", 0.155_183_76),
            ("southamerica-east1", "e2-standard-32", 1.701_926_4),
            ("europe-west3", "e2-highcpu-4", 0.127_478_88),
        ] {
            let (_, cpu, memory, _) = REGIONS.iter().find(|row| row.0 == region).unwrap();
            let (cpus, gigabytes) = size(machine).unwrap();
            let sum = cpu * cpus + memory * gigabytes;
            assert!((sum - dollars).abs() < 0.000_1, "{region} {machine}: {sum}");
        }
        let mut names: Vec<&str> = REGIONS.iter().map(|row| row.0).collect();
        names.dedup();
        assert_eq!(names.len(), REGIONS.len());
    }
}
