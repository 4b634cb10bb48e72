//! The file system that a pod's programs see: this machine's programs, the pod's own files, and nobody else's.

use std::path::{Path, PathBuf};

use crate::layout::Lab;

/// The machine's own part, which stands for what an image holds.
pub const MACHINE: &[&str] = &[
    "--tmpfs",
    "/",
    "--ro-bind",
    "/usr",
    "/usr",
    "--symlink",
    "usr/bin",
    "/bin",
    "--symlink",
    "usr/sbin",
    "/sbin",
    "--symlink",
    "usr/lib",
    "/lib",
    "--symlink",
    "usr/lib64",
    "/lib64",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "--perms",
    "1777",
    "--tmpfs",
    "/tmp",
    "--tmpfs",
    "/run",
    "--perms",
    "0755",
    "--dir",
    "/etc",
    "--perms",
    "0755",
    "--dir",
    "/var",
    "--symlink",
    "../run",
    "/var/run",
];
/// Files below /etc that programs read, where the machine has them.
const FILES: &[&str] = &[
    "passwd",
    "group",
    "nsswitch.conf",
    "protocols",
    "services",
    "ld.so.cache",
    "alternatives",
    "ssl/openssl.cnf",
];
/// Folders that programs of the mesh expect.
const FOLDERS: &[&str] = &[
    "/var/lib",
    "/var/lib/istio",
    "/var/lib/istio/envoy",
    "/etc/ssl",
    "/etc/ssl/certs",
];

/// Where the laboratory's own program is in every pod.
pub const SERVER: &str = "/lab";

/// The argument list under which a program sees the files of the pod whose folder is named, as a user, with these mounts
/// (a folder or a file of the machine, and its place in the pod).
pub fn sandbox(lab: &Lab, folder: &Path, user: u64, mounts: &[(PathBuf, String)]) -> Vec<String> {
    let mut argv = vec!["bwrap".to_owned()];
    let mut add = |words: &[&str]| argv.extend(words.iter().map(|word| (*word).to_owned()));
    let (bin, pki) = (
        lab.bin().display().to_string(),
        lab.pki().display().to_string(),
    );
    let bootstrap = lab
        .home
        .join("envoy_bootstrap_tmpl.json")
        .display()
        .to_string();
    let own = lab.program().display().to_string();
    let in_pod = |name: &str| folder.join(name).display().to_string();
    add(MACHINE);
    add(&["--chdir", "/", "--cap-add", "ALL"]);
    for file in FILES {
        let path = format!("/etc/{file}");
        add(&["--ro-bind-try", &path, &path]);
    }
    add(&[
        "--ro-bind",
        &bin,
        "/usr/local/bin",
        "--ro-bind",
        &own,
        SERVER,
        "--ro-bind",
        &pki,
        "/pki",
    ]);
    for folder in FOLDERS {
        add(&["--perms", "0755", "--dir", folder]);
    }
    add(&[
        "--ro-bind",
        &bootstrap,
        "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json",
    ]);
    add(&[
        "--ro-bind",
        &format!("{pki}/bundle.crt"),
        "/etc/ssl/certs/ca-certificates.crt",
    ]);
    for file in ["resolv.conf", "hosts"] {
        add(&["--ro-bind", &in_pod(file), &format!("/etc/{file}")]);
    }
    add(&[
        "--setenv",
        "HOME",
        "/tmp",
        "--setenv",
        "PATH",
        "/usr/local/bin:/usr/sbin:/usr/bin",
    ]);
    // gcloud brings its own list of authorities; the outside is signed by the laboratory's.
    add(&[
        "--setenv",
        "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
        "/etc/ssl/certs/ca-certificates.crt",
    ]);
    let mut mounts: Vec<(String, String)> = mounts
        .iter()
        .map(|(source, target)| {
            // /var/run is a link, and a mount wants a folder.
            let target = target
                .strip_prefix("/var/run/")
                .map_or_else(|| target.clone(), |rest| format!("/run/{rest}"));
            (target, source.display().to_string())
        })
        .collect();
    mounts.sort();
    for (target, source) in &mounts {
        let parents: Vec<&Path> = Path::new(target).ancestors().skip(1).collect();
        for parent in parents
            .iter()
            .rev()
            .filter(|parent| parent.parent().is_some())
        {
            add(&["--perms", "0755", "--dir", &parent.display().to_string()]);
        }
        add(&["--bind", source, target]);
    }
    let (uid, gid) = (format!("--reuid={user}"), format!("--regid={user}"));
    add(&["--", "setpriv", &uid, &gid, "--clear-groups"]);
    argv
}
