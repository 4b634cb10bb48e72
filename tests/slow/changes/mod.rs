//! Changes of an environment that exists, and what comes between: a resource that is replaced, steps that are gone or renamed,
//! node pools that change in place, one of two environments of a project that is deleted. `crash.rs` kills such a run, `faults.rs`
//! lets its requests fail. Each begins with a copy of the moment before the change.

mod crash;
mod faults;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::changed_steps::changed_steps;
use crate::common::cloud::{Cloud, between, pointed_at};
use crate::common::dice::Dice;
use crate::common::faulty::Faulty;
use crate::common::program::{Said, User};

/// The folder of steps, in the user's home: the tutorial's first chapters. Without `--through` nothing is left to later ones, so
/// what no step asks for is deleted.
const STEPS: &[&str] = &["--steps", "changed-steps"];
/// The last file of steps in it.
const LAST: &str = "30-cluster.yaml";
/// No run takes longer: what waits is bounded.
const SECONDS: &str = "400";
/// Below a home folder.
const STATE: &str = ".local/state/provision";

/// What changes, in words of the command line.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// Its name.
    pub name: &'static str,
    /// The flags of every command.
    pub flags: &'static [&'static str],
    /// The environments that exist before; the first is the one that changes. One that is empty is the default.
    pub environments: &'static [&'static str],
    /// Changes of the folder of steps.
    pub steps: &'static [(&'static str, &'static str, &'static str)],
    /// The run that makes the change, without its flags.
    pub run: &'static [&'static str],
    /// The run after it was cut off. It may refuse, if a difference needs `--replace`; then the first run follows again.
    pub next: &'static [&'static str],
}

const UP: &[&str] = &["up", "--yes"];

/// A node pool alone, which nothing else uses.
const POOL: Change = Change {
    name: "a node pool is replaced",
    flags: STEPS,
    environments: &[""],
    steps: &[],
    run: &["up", "--yes", "--replace", "gateway-pool"],
    next: UP,
};

/// A subnet whose range cannot be changed, with the cluster in it.
const SUBNET: Change = Change {
    name: "a subnet and its cluster are replaced",
    run: &[
        "up",
        "--yes",
        "--set",
        "subnet_range=10.9.0.0/24",
        "--replace",
        "subnet-gke",
    ],
    ..POOL
};

/// An account, with its roles, rules and nodes.
const ACCOUNT: Change = Change {
    name: "a service account is replaced",
    run: &["up", "--yes", "--replace", "sa-gateway-nodes"],
    ..POOL
};

/// The cluster of the whole tutorial, with the objects in it.
const CLUSTER: Change = Change {
    name: "a cluster and its objects are replaced",
    flags: &[],
    run: &["up", "--yes", "--replace", "cluster"],
    ..POOL
};

/// A rule that is gone, a pool that has another name, and a role that is not granted any more.
const PRUNED: Change = Change {
    name: "steps are removed and renamed",
    steps: &[
        (
            "26-firewall.yaml",
            "step: allow-ingress-gcp-health-checker\n",
            "step: gone\nwhen: {control_plane: in-cluster}\n",
        ),
        (
            "30-cluster.yaml",
            "nodePool: gateway\n",
            "nodePool: renamed\n",
        ),
        (
            "24-service-accounts.yaml",
            "    - role: roles/monitoring.viewer\n      members:\n        - serviceAccount:${sa-application-nodes.email}\n        - serviceAccount:${sa-gateway-nodes.email}\n",
            "",
        ),
    ],
    run: UP,
    ..POOL
};

/// Counts and machines, in place.
const IN_PLACE: Change = Change {
    name: "node pools change in place",
    run: &[
        "up",
        "--yes",
        "--set",
        "nodes=5",
        "--set",
        "machine_type=e2-standard-8",
    ],
    next: &[
        "up",
        "--yes",
        "--set",
        "nodes=5",
        "--set",
        "machine_type=e2-standard-8",
    ],
    ..POOL
};

/// One of two environments of a project.
const ONE_OF_TWO: Change = Change {
    name: "one of two environments is deleted",
    environments: &["a", "b"],
    run: &["down", "--yes"],
    next: &["down", "--yes"],
    ..POOL
};

/// All of them.
const ALL: [Change; 7] = [POOL, SUBNET, ACCOUNT, CLUSTER, PRUNED, IN_PLACE, ONE_OF_TWO];
/// How many of them are tried where not all points are.
const SAMPLE: usize = 3;

/// Those that are tried: all of them, some that the seed draws, or those in whose name a word of `PROVISION_CHANGES` is.
fn chosen(all: bool, seed: u64) -> Vec<Change> {
    let wish = std::env::var("PROVISION_CHANGES").unwrap_or_default();
    let wished = |change: &Change| wish.split(',').any(|word| change.name.contains(word));
    match (wish.as_str(), all) {
        ("", true) => ALL.to_vec(),
        ("", false) => Dice::of(seed, "changes").sample(ALL.to_vec(), SAMPLE),
        _ => ALL.into_iter().filter(wished).collect(),
    }
}

/// What stands: Google's resources and the objects in clusters.
pub type World = BTreeMap<String, Value>;

fn world(cloud: &Cloud) -> World {
    let mut all = cloud.inventory();
    all.extend(cloud.objects());
    all
}

/// The moment before a change, as often as it is needed.
pub struct Moment {
    change: Change,
    /// The cloud's file and the user's state folder.
    kept: TempDir,
    /// What stands after the change.
    pub changed: World,
    /// What stands after everything is deleted.
    pub empty: World,
}

impl Change {
    /// The arguments of a run in one of its environments.
    fn args(&self, environment: &str, run: &[&str]) -> Vec<String> {
        let of_environment = match environment {
            "" => Vec::new(),
            name => vec!["--env", name],
        };
        let all = run.iter().chain(self.flags).chain(&of_environment);
        all.map(|word| (*word).to_owned()).collect()
    }

    /// A folder of steps in the user's home, before the change or after it.
    fn write_steps(&self, home: &Path, changes: &[(&str, &str, &str)]) {
        if self.flags.is_empty() {
            return;
        }
        let folder = changed_steps(home, changes);
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_file() && name.as_str() > LAST && name != "params.yaml" {
                fs::remove_file(path).unwrap();
            }
        }
    }

    /// The moment before it; the change and a `down` follow once, undisturbed, by `user`.
    pub fn moment(self, by: impl FnOnce(&Cloud, &User, &Change)) -> Moment {
        let kept = tempfile::tempdir().unwrap();
        let file = kept.path().join("now.json");
        let cloud = Cloud::kept_in(&file);
        self.write_steps(cloud.user.home(), &[]);
        for environment in self.environments {
            self.run(&cloud.user, environment, UP).ends(0);
        }
        fs::copy(&file, kept.path().join("cloud.json")).unwrap();
        copy(&cloud.user.home().join(STATE), &kept.path().join(STATE));
        self.write_steps(cloud.user.home(), self.steps);
        by(&cloud, &cloud.user, &self);
        let changed = world(&cloud);
        self.end(&cloud.user);
        Moment {
            change: self,
            kept,
            changed,
            empty: world(&cloud),
        }
    }

    /// Runs it to its end; one that hangs is ended.
    pub fn run(&self, user: &User, environment: &str, run: &[&str]) -> Said {
        let args = self.args(environment, run);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        user.run_within(SECONDS, &args)
    }

    /// Deletes everything.
    fn end(&self, user: &User) {
        for environment in self.environments {
            let down = self.run(user, environment, &["down", "--yes"]).ends(0);
            assert!(!down.out.contains("left:"), "{}", down.out);
        }
    }
}

impl Moment {
    /// A cloud as it was then.
    pub fn cloud(&self) -> Cloud {
        Cloud::copy_of(&self.kept.path().join("cloud.json"))
    }

    /// A user who did what was done then, and has the changed steps.
    pub fn move_in(&self, user: &User) {
        copy(&self.kept.path().join(STATE), &user.home().join(STATE));
        self.change.write_steps(user.home(), self.change.steps);
    }

    /// What is wrong after the change was cut off, the next run went to its end, and everything was deleted; nothing if all is well.
    pub fn wrong_after(&self, cloud: &Cloud, user: &User) -> Vec<String> {
        let (change, first) = (&self.change, self.change.environments[0]);
        let mut wrong = Vec::new();
        let next = change.run(user, first, change.next);
        let needs_flag = next.code == Some(1) && next.err.contains("--replace");
        if next.code != Some(0) && !(needs_flag && change.run != change.next) {
            wrong.push(format!("the next run: {}{}", next.out, next.err));
        }
        // A plain run cannot know a value of a run that was cut off before its first record.
        let has_changed = || between(&world(cloud), &self.changed);
        if needs_flag || (change.run.contains(&"--set") && !has_changed().is_empty()) {
            let again = change.run(user, first, change.run);
            if again.code != Some(0) {
                wrong.push(format!("the same run again: {}{}", again.out, again.err));
            }
        }
        wrong.extend(has_changed());
        for other in &change.environments[1..] {
            let plan = change.run(user, other, &["plan"]);
            if plan.code != Some(0) {
                wrong.push(format!("environment {other} was touched: {}", plan.out));
            }
        }
        for environment in change.environments {
            let down = change.run(user, environment, &["down", "--yes"]);
            if down.code != Some(0) || down.out.contains("left:") {
                wrong.push(format!("down: {}{}", down.out, down.err));
            }
        }
        let left = between(&world(cloud), &self.empty).into_iter();
        wrong.extend(left.map(|name| format!("down leaves {name}")));
        wrong
    }
}

/// Before a moment's cloud: what may go wrong, and a user who knows of neither.
pub fn before_faults(moment: &Moment) -> (Cloud, Faulty, User) {
    let cloud = moment.cloud();
    let faulty = Faulty::new(cloud.address());
    let user = pointed_at(User::new(), faulty.address());
    moment.move_in(&user);
    (cloud, faulty, user)
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => {
                fs::copy(&path, to.join(name)).unwrap();
            }
        }
    }
}
