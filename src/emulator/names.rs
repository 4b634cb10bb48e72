//! Names: full resource names as keys of the state, links as clients write them, and project numbers.
//!
//! A key is Google's full resource name, `//compute.googleapis.com/projects/p/global/networks/n`. What objects say about each
//! other (`https://…/projects/p/global/networks/n`, `projects/p/global/networks/n`) is compared from `projects/` on.

/// The full resource name of `path` (`projects/…`) in `api` (`compute`).
pub fn key(api: &str, path: &str) -> String {
    format!("//{api}.googleapis.com/{path}")
}

/// The part of a key or of a link that names the resource: from `projects/` on. A text without that is returned whole.
pub fn path(link: &str) -> &str {
    if link.starts_with("projects/") {
        return link;
    }
    link.find("/projects/").map_or(link, |at| &link[at + 1..])
}

/// The last segment of a name: `n` of `projects/p/global/networks/n`.
pub fn leaf(link: &str) -> &str {
    link.rsplit('/').next().unwrap_or(link)
}

/// The segment after `collection`: `segment("projects/p/regions/r", "regions")` is `r`.
pub fn segment<'a>(link: &'a str, collection: &str) -> Option<&'a str> {
    path(link)
        .split('/')
        .skip_while(|part| *part != collection)
        .nth(1)
}

/// The region of a zone: `us-central1` of `us-central1-a`.
pub fn region_of(zone: &str) -> &str {
    zone.rsplit_once('-').map_or(zone, |(region, _)| region)
}

/// A stable 64-bit hash (FNV-1a, then mixed): what is random at Google has to be the same in every run here.
pub fn hash(text: &str) -> u64 {
    let fnv = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}

/// `digits` hexadecimal digits that depend on `text` alone; at most 16.
pub fn hex(text: &str, digits: usize) -> String {
    format!("{:016x}", hash(text))
        .chars()
        .take(digits)
        .collect()
}

/// 64 hexadecimal digits that depend on `seed` alone.
pub fn long_hex(seed: &str) -> String {
    (0..4)
        .map(|part| hex(&format!("{seed} {part}"), 16))
        .collect()
}

/// The number of a project: twelve digits that depend on its id alone, so any id that a request names has one.
pub fn project_number(id: &str) -> u64 {
    100_000_000_000 + hash(id) % 900_000_000_000
}

/// The domain of the addresses of a project's service accounts: `demo-proj.iam.gserviceaccount.com`. The domain of a project's id
/// (`example.com:demo-proj`) comes after its name: `demo-proj.example.com.iam.gserviceaccount.com`. Source: the tests of public programs
/// that talk to such projects.
pub fn account_domain(project: &str) -> String {
    let name = match project.split_once(':') {
        Some((domain, name)) => format!("{name}.{domain}"),
        None => project.to_owned(),
    };
    format!("{name}.iam.gserviceaccount.com")
}

/// The project of a service account's address, if it is one that a user made.
pub fn project_of_account(email: &str) -> Option<String> {
    let (_, domain) = email.split_once('@')?;
    let name = domain.strip_suffix(".iam.gserviceaccount.com")?;
    Some(match name.split_once('.') {
        Some((name, domain)) => format!("{domain}:{name}"),
        None => name.to_owned(),
    })
}

/// Whether Google would accept this as a project id: 6-30 lowercase letters, digits and hyphens, a letter first, no hyphen last.
/// Source: the projects.create reference (`projectId`). A domain prefix (`example.com:p`) is accepted as Google still does.
pub fn is_project_id(id: &str) -> bool {
    let name = id.split_once(':').map_or(id, |(_, name)| name);
    (6..=30).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_every_form_name_the_same_resource() {
        for link in [
            "projects/p/global/networks/n",
            "//compute.googleapis.com/projects/p/global/networks/n",
            "https://www.googleapis.com/compute/v1/projects/p/global/networks/n",
            "http://127.0.0.1:4010/compute.googleapis.com/compute/v1/projects/p/global/networks/n",
        ] {
            assert_eq!(path(link), "projects/p/global/networks/n");
        }
        assert_eq!(path("n"), "n");
        assert_eq!(leaf("projects/p/global/networks/n"), "n");
        assert_eq!(
            segment("https://x/projects/p/regions/r/subnetworks/s", "regions"),
            Some("r")
        );
        assert_eq!(segment("projects/p", "regions"), None);
        assert_eq!(region_of("europe-west1-b"), "europe-west1");
    }

    #[test]
    fn project_ids_are_judged_as_google_judges_them() {
        for id in ["demo-proj", "a23456", "example.com:my-proj"] {
            assert!(is_project_id(id), "{id}");
        }
        for id in [
            "",
            "short",
            "Demo-Proj",
            "demo-proj-",
            "1demo-proj",
            "demo_proj",
            "a234567890123456789012345678901",
        ] {
            assert!(!is_project_id(id), "{id}");
        }
    }

    #[test]
    fn the_address_of_an_account_names_its_project() {
        for (project, domain) in [
            ("demo-proj", "demo-proj.iam.gserviceaccount.com"),
            (
                "example.com:demo-proj",
                "demo-proj.example.com.iam.gserviceaccount.com",
            ),
        ] {
            assert_eq!(account_domain(project), domain);
            assert_eq!(
                project_of_account(&format!("sa@{domain}")).as_deref(),
                Some(project)
            );
        }
        assert_eq!(
            project_of_account("7-compute@developer.gserviceaccount.com"),
            None
        );
    }

    #[test]
    fn a_project_number_has_twelve_digits_and_stays() {
        assert_eq!(project_number("demo-proj"), project_number("demo-proj"));
        assert_ne!(project_number("demo-proj"), project_number("demo-prok"));
        assert_eq!(project_number("demo-proj").to_string().len(), 12);
    }
}
