//! The journal as a file: what survives a crash, a bit flip, a newer program, a second process.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use provision::engine::entry::{ChangeVerb, Entry, FORMAT, LeftBehind, Run};
use provision::engine::journal::{Journal, JournalError, LockedJournal};
use provision::engine::replay::Replay;
use provision::kinds::ResourceId;
use serde_json::json;

struct Folder {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn folder() -> Folder {
    let folder = tempfile::tempdir().unwrap();
    Folder {
        path: folder.path().join("a b/journal.jsonl"),
        _folder: folder,
    }
}

fn network(name: &str) -> ResourceId {
    let at = json!({"project": "p", "network": name});
    ResourceId {
        kind: "compute.network".to_owned(),
        at: at.as_object().unwrap().clone(),
    }
}

fn run(format: u32) -> Entry {
    let given = json!({"project": "p"}).as_object().unwrap().clone();
    Entry::Run(Box::new(Run {
        at: "2026-01-01T00:00:00.000Z".to_owned(),
        format,
        run: "r".to_owned(),
        verb: "up".to_owned(),
        pid: 7,
        host: "here".to_owned(),
        asked: Vec::new(),
        program: "0".to_owned(),
        emulated: true,
        cloud: None,
        folders: Default::default(),
        kept: Vec::new(),
        cluster: None,
        given,
    }))
}

fn intent(name: &str) -> Entry {
    Entry::Intent {
        at: String::new(),
        step: name.to_owned(),
        resource: network(name),
        verb: ChangeVerb::Create,
        request: format!("request of {name} with \"quotes\" and }}}}"),
        parts: Vec::new(),
        inside: Vec::new(),
    }
}

fn failed(name: &str, message: &str) -> Entry {
    Entry::Failed {
        at: String::new(),
        key: network(name).key(),
        message: message.to_owned(),
        left: LeftBehind::Nothing,
    }
}

/// The bytes of a journal with these entries.
fn written(folder: &Folder, entries: &[Entry]) -> Vec<u8> {
    let mut journal = Journal::open(&folder.path).unwrap();
    for entry in entries {
        journal.write(entry).unwrap();
    }
    fs::read(&folder.path).unwrap()
}

#[test]
fn an_empty_file_is_an_empty_journal() {
    let folder = folder();
    fs::create_dir_all(folder.path.parent().unwrap()).unwrap();
    fs::write(&folder.path, "").unwrap();
    assert_eq!(Journal::read(&folder.path).unwrap().resources.len(), 0);
    Journal::open(&folder.path).unwrap();
}

#[test]
fn what_is_damaged_is_told_with_what_is_lost() {
    let folder = folder();
    let all = [
        run(FORMAT),
        intent("a"),
        intent("b"),
        failed("b", "quota"),
        intent("c"),
    ];
    let text = String::from_utf8(written(&folder, &all)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let shown = folder.path.display();
    let key = network("b").key();
    let cases = [
        (
            vec![(2, lines[1].replace("create", "delete"))],
            format!("{shown}:2: damaged record (checksum does not match); affected steps: a"),
        ),
        (
            vec![(1, "x".to_owned())],
            format!("{shown}:1: damaged record (no checksum); the affected steps are unknown"),
        ),
        (
            vec![(2, "".to_owned()), (3, lines[2].replace("request", "zzz"))],
            format!(
                "{shown}: damaged records in lines 2 (no checksum), 3 (checksum does not match); affected steps: b, {key}"
            ),
        ),
    ];
    for (damage, expected) in cases {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        for (line, text) in damage {
            lines[line - 1] = text;
        }
        fs::write(&folder.path, lines.join("\n") + "\n").unwrap();
        assert_eq!(
            Journal::read(&folder.path).unwrap_err().to_string(),
            expected
        );
        let Replay { state, .. } = Journal::look(&folder.path).unwrap();
        assert!(state.is_ours(&network("c").key()), "the rest is believed");
    }
}

/// Waits until this process has a file open twice: somebody else than the test has got as far as waiting for its lock.
fn until_opened_twice(path: &std::path::Path) {
    let path = path.canonicalize().unwrap();
    let leads_there = |fd: &fs::DirEntry| fs::read_link(fd.path()).is_ok_and(|to| to == path);
    let began = std::time::Instant::now();
    loop {
        let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
        if open.filter(leads_there).count() > 1 {
            return;
        }
        assert!(began.elapsed().as_secs() < 30, "nobody opened it");
        std::thread::yield_now();
    }
}

/// A process that waits for the lock of a file that is replaced meanwhile has the wrong file: it takes the new one.
#[test]
fn a_lock_on_a_file_that_was_replaced_is_none() {
    let folder = folder();
    let bytes = written(&folder, &[run(FORMAT), intent("a")]);
    let journal = Journal::open(&folder.path).unwrap();
    let path = folder.path.clone();
    let waiting = std::thread::spawn(move || Journal::wait(&path).unwrap());
    until_opened_twice(&folder.path);
    let other = folder.path.with_extension("other");
    fs::write(
        &other,
        [&bytes[..], intent("b").seal(3).unwrap().as_bytes()].concat(),
    )
    .unwrap();
    fs::rename(&other, &folder.path).unwrap();
    drop(journal);
    let mut journal = waiting.join().unwrap();
    assert!(journal.state.is_ours(&network("b").key()));
    journal.write(&intent("c")).unwrap();
    drop(journal);
    assert!(
        Journal::read(&folder.path)
            .unwrap()
            .is_ours(&network("c").key())
    );
}

#[test]
fn what_was_written_is_read_back() {
    let folder = folder();
    let mut journal = Journal::open(&folder.path).unwrap();
    for entry in [
        run(FORMAT),
        intent("a"),
        intent("b"),
        failed("b", "no,\"sum\":\"\n"),
    ] {
        journal.write(&entry).unwrap();
    }
    drop(journal);
    let state = Journal::read(&folder.path).unwrap();
    assert!(state.is_ours(&network("a").key()));
    assert!(!state.is_ours(&network("b").key()));
    assert_eq!(state.last_run.unwrap().verb, "up");
}

#[test]
fn an_absent_journal_is_an_empty_one_and_is_not_made_by_reading() {
    let folder = folder();
    assert_eq!(Journal::read(&folder.path).unwrap().resources.len(), 0);
    assert!(!folder.path.exists());
}

#[test]
fn a_torn_last_line_is_cut_off_wherever_it_tore() {
    let folder = folder();
    let mut journal = Journal::open(&folder.path).unwrap();
    for entry in [run(FORMAT), intent("a"), intent("b")] {
        journal.write(&entry).unwrap();
    }
    drop(journal);
    let whole = fs::read(&folder.path).unwrap();
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|b| *b == b'\n')
        .unwrap()
        + 1;
    for cut in last..whole.len() {
        fs::write(&folder.path, &whole[..cut]).unwrap();
        let mut journal = Journal::open(&folder.path).unwrap();
        assert!(journal.state.is_ours(&network("a").key()));
        assert!(!journal.state.is_ours(&network("b").key()), "cut at {cut}");
        journal.write(&intent("c")).unwrap();
        drop(journal);
        assert!(
            Journal::read(&folder.path)
                .unwrap()
                .is_ours(&network("c").key())
        );
    }
}

#[test]
fn one_process_at_a_time_and_the_second_is_told_who() {
    let folder = folder();
    let mut journal = Journal::open(&folder.path).unwrap();
    journal.write(&run(FORMAT)).unwrap();
    let error = Journal::open(&folder.path).unwrap_err();
    assert!(matches!(error, JournalError::Held { .. }));
    assert!(
        error.to_string().contains("process 7, `provision up`"),
        "{error}"
    );
    assert!(Journal::read(&folder.path).is_ok(), "looking needs no lock");
    drop(journal);
    Journal::open(&folder.path).unwrap();
}

#[test]
fn a_newer_journal_is_read_and_never_written() {
    let folder = folder();
    let mut journal = Journal::open(&folder.path).unwrap();
    for entry in [run(FORMAT), intent("a"), run(FORMAT + 1)] {
        journal.write(&entry).unwrap();
    }
    drop(journal);
    let mut bytes = fs::read(&folder.path).unwrap();
    bytes.extend_from_slice(b"{\"entry\":\"unheard-of\"}\n");
    fs::write(&folder.path, &bytes).unwrap();
    assert!(
        Journal::read(&folder.path)
            .unwrap()
            .is_ours(&network("a").key())
    );
    assert!(
        matches!(Journal::open(&folder.path).unwrap_err(), JournalError::Newer { found, .. } if found == FORMAT + 1)
    );
    assert_eq!(fs::read(&folder.path).unwrap(), bytes);
}

#[test]
fn only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    drop(Journal::open(&folder.path).unwrap());
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path), 0o600);
    assert_eq!(mode(folder.path.parent().unwrap()), 0o700);
}

/// Where others could write to the folder before, they could put a link there.
#[test]
fn a_rebuilt_journal_is_written_through_no_link() {
    let folder = folder();
    let mut bytes = written(&folder, &[run(FORMAT), intent("a"), intent("b")]);
    bytes[10] ^= 1;
    fs::write(&folder.path, bytes).unwrap();
    let other = folder.path.with_extension("txt");
    fs::write(&other, "dear diary").unwrap();
    std::os::unix::fs::symlink(&other, folder.path.with_extension("jsonl.new")).unwrap();
    let held = LockedJournal::open(&folder.path).unwrap();
    held.rebuilt(&run(FORMAT)).unwrap();
    assert_eq!(fs::read_to_string(&other).unwrap(), "dear diary");
    let about = fs::symlink_metadata(&folder.path).unwrap();
    assert!(about.is_file(), "the journal itself is no link");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Cut anywhere, it says what its whole lines say: as after a crash at that moment.
    #[test]
    fn cut_anywhere_it_says_what_was_said_before(at in 0usize..10_000) {
        let folder = folder();
        let entries = [run(FORMAT), intent("a"), failed("a", "quota"), intent("b"), intent("c")];
        let bytes = written(&folder, &entries);
        let at = at % (bytes.len() + 1);
        fs::write(&folder.path, &bytes[..at]).unwrap();
        let whole = bytes[..at].iter().filter(|b| **b == b'\n').count();
        let state = Journal::read(&folder.path).unwrap();
        for (name, ours) in [("a", whole == 2), ("b", whole > 3), ("c", whole > 4)] {
            prop_assert_eq!(state.is_ours(&network(name).key()), ours, "{} cut at {}", name, at);
        }
        let mut journal = Journal::open(&folder.path).unwrap();
        if whole == 0 {
            journal.write(&run(FORMAT)).unwrap();
        }
        journal.write(&intent("d")).unwrap();
        drop(journal);
        prop_assert!(Journal::read(&folder.path).unwrap().is_ours(&network("d").key()));
    }

    /// Whatever bytes are in it, one that is rebuilt is a journal, and the bytes are kept.
    #[test]
    fn whatever_is_in_it_it_can_be_rebuilt(at in 0usize..10_000, noise in proptest::collection::vec(any::<u8>(), 0..60)) {
        let folder = folder();
        let mut bytes = written(&folder, &[run(FORMAT), intent("a"), failed("a", "quota"), intent("b"), intent("c")]);
        let at = at % bytes.len();
        let end = bytes.len().min(at + noise.len() / 2);
        bytes.splice(at..end, noise);
        fs::write(&folder.path, &bytes).unwrap();
        let held = LockedJournal::open(&folder.path).unwrap();
        let damaged = !held.read.damaged.is_empty();
        prop_assert_eq!(damaged, Journal::read(&folder.path).is_err());
        let (mut journal, kept) = held.rebuilt(&run(FORMAT)).unwrap();
        prop_assert_eq!(kept.is_some(), damaged);
        if let Some(kept) = kept {
            prop_assert_eq!(fs::read(kept).unwrap(), bytes);
        }
        let held = Journal::open(&folder.path).unwrap_err();
        let is_held = matches!(held, JournalError::Held { .. });
        prop_assert!(is_held);
        journal.write(&intent("d")).unwrap();
        drop(journal);
        prop_assert!(Journal::read(&folder.path).unwrap().is_ours(&network("d").key()));
    }

    /// Whatever happens to one byte of a whole line is seen: nothing false is believed, and nothing panics.
    #[test]
    fn a_flipped_bit_is_seen(at in 0usize..10_000, bit in 0u8..8) {
        let folder = folder();
        let mut journal = Journal::open(&folder.path).unwrap();
        for entry in [run(FORMAT), intent("a"), failed("a", "quota"), intent("b")] {
            journal.write(&entry).unwrap();
        }
        drop(journal);
        let mut bytes = fs::read(&folder.path).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        fs::write(&folder.path, &bytes).unwrap();
        match Journal::read(&folder.path) {
            Err(JournalError::Damaged { damage, .. }) => {
                let line = damage.damaged[0].line;
                let before = bytes[..at].iter().filter(|b| **b == b'\n').count();
                prop_assert!(line == before + 1 || line == before + 2, "byte {at} told as line {line}");
            }
            Err(other) => prop_assert!(false, "{other}"),
            // The end of the last line may look torn, which it then counts as.
            Ok(state) => prop_assert!(at + 1 == bytes.len(), "byte {at} was believed: {state:?}"),
        }
    }
}
