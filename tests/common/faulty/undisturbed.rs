//! Runs without any fault, to hold the others against: what they ask, what they leave, and the moment after `up`, from which
//! any number of other runs may go on.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use provision::steps::{Source, Tutorial};
use serde_json::Value;
use tempfile::TempDir;

use super::super::cloud::{Cloud, between, pointed_at};
use super::super::middle::request::Asked;
use super::super::program::{Said, User};
use super::Faulty;
use super::plan::Plan;

/// No run takes longer: what waits is bounded.
const SECONDS: &str = "400";

/// The tutorial's chapters, in its order.
pub fn chapters() -> Vec<String> {
    let tutorial = Tutorial::load(&Source::Embedded).unwrap();
    let chapters = tutorial.chapters.into_iter();
    chapters.map(|chapter| chapter.name).collect()
}

/// A cloud, what may go wrong before it, and a user who knows of neither.
pub struct Scene {
    /// The cloud.
    pub cloud: Cloud,
    /// Calm, until it is told what to do.
    pub faulty: Faulty,
    /// The user.
    pub user: User,
}

impl Scene {
    /// Before a cloud.
    pub fn before(cloud: Cloud) -> Scene {
        let faulty = Faulty::new(cloud.address());
        let user = pointed_at(User::new(), faulty.address());
        Scene {
            cloud,
            faulty,
            user,
        }
    }

    /// Runs `up` through a chapter; one that hangs is ended.
    pub fn up(&self, through: &str) -> Said {
        self.run(&["up", "--yes", "--output", "json", "--through", through])
    }

    /// Runs `down`; one that hangs is ended.
    pub fn down(&self) -> Said {
        self.run(&["down", "--yes", "--output", "json"])
    }

    fn run(&self, args: &[&str]) -> Said {
        self.user.run_within(SECONDS, args)
    }

    /// What stands there: Google's resources and the objects in clusters.
    pub fn stands(&self) -> BTreeMap<String, Value> {
        let mut all = self.cloud.inventory();
        all.extend(self.cloud.objects());
        all
    }
}

/// A run without any fault.
pub struct Undisturbed {
    /// Its last chapter.
    pub chapter: String,
    /// What stands after `up`.
    pub built: BTreeMap<String, Value>,
    /// What stands after `down`.
    pub empty: BTreeMap<String, Value>,
    /// What `up` asks.
    pub up: Vec<(Asked, usize)>,
    /// What `down` asks.
    pub down: Vec<(Asked, usize)>,
    /// The cloud's file and the user's state folder, after `up`.
    kept: TempDir,
}

/// Below [`Undisturbed::kept`].
const CLOUD: &str = "cloud.json";
/// Below a home folder.
const STATE: &str = ".local/state/provision";

impl Undisturbed {
    /// Runs `up` through a chapter, and `down`.
    pub fn seen(chapter: &str) -> Undisturbed {
        let kept = tempfile::tempdir().unwrap();
        let file = kept.path().join("now.json");
        let snapshot = Scene::before(Cloud::kept_in(&file));
        snapshot.up(chapter).ends(0);
        let (built, up) = (snapshot.stands(), snapshot.faulty.heard());
        fs::copy(&file, kept.path().join(CLOUD)).unwrap();
        copy(&snapshot.user.home().join(STATE), &kept.path().join(STATE));
        snapshot.faulty.plans(Plan::Calm);
        snapshot.down().ends(0);
        Undisturbed {
            chapter: chapter.to_owned(),
            built,
            empty: snapshot.stands(),
            up,
            down: snapshot.faulty.heard(),
            kept,
        }
    }

    /// The moment after its `up`, once more.
    pub fn after_up(&self) -> Scene {
        let snapshot = Scene::before(Cloud::copy_of(&self.kept.path().join(CLOUD)));
        copy(
            &self.kept.path().join(STATE),
            &snapshot.user.home().join(STATE),
        );
        snapshot
    }

    /// What stands in a snapshot and not here after `up`, or the other way round.
    pub fn lacks(&self, snapshot: &Scene) -> Vec<String> {
        between(&snapshot.stands(), &self.built)
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}
