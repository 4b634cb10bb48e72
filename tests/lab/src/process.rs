//! Programs of a laboratory: starting them so that they outlive the command that did, and ending them all.
//!
//! A process is known by a variable of its environment. No list of processes is kept, so a laboratory whose start was killed
//! is taken down like any other.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::layout::{Lab, MARK};
use crate::{Error, Result};

/// Runs a program to its end and returns what it wrote to stdout.
///
/// # Errors
/// It cannot be started, or ends otherwise than with 0; its own words are told.
pub fn output<S: AsRef<OsStr>>(argv: &[S]) -> Result<String> {
    let [program, arguments @ ..] = argv else {
        return Err("no program is named".into());
    };
    let told = || {
        argv.iter()
            .map(|word| word.as_ref().to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let done = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let done = done.map_err(|error| format!("{}: {error}", told()))?;
    if !done.status.success() {
        return Err(format!(
            "{}: {}",
            told(),
            String::from_utf8_lossy(&done.stderr).trim()
        )
        .into());
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// The same for words of one line without spaces in them.
///
/// # Errors
/// As [`output`].
pub fn run(line: &str) -> Result<String> {
    output(&line.split_whitespace().collect::<Vec<_>>())
}

/// A file for a program's output that the program may open again under another user, as Envoy does with /dev/stdout.
fn log(lab: &Lab, name: &str) -> Result<File> {
    let path = lab.run().join("log").join(format!("{name}.log"));
    let file = File::options().create(true).append(true).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o666))?;
    Ok(file)
}

/// Starts a program of the laboratory in a network namespace, under a name for its log and for [`stop`].
///
/// # Errors
/// It cannot be started.
pub fn start<S: AsRef<OsStr>>(lab: &Lab, name: &str, namespace: &str, argv: &[S]) -> Result<Child> {
    let out = log(lab, name)?;
    let mut command = Command::new("setsid");
    command.args(lab.entering(namespace)).args(argv);
    command
        .env(MARK, lab.run())
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out);
    let child = command
        .spawn()
        .map_err(|error| format!("{name}: {error}"))?;
    fs::write(lab.run().join("pids").join(name), child.id().to_string())?;
    Ok(child)
}

/// Whether a process is of this laboratory.
fn is_of(lab: &Lab, pid: &str) -> bool {
    let mark = format!("{MARK}={}", lab.run().display());
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
        environment
            .split(|byte| *byte == 0)
            .any(|pair| pair == mark.as_bytes())
    })
}

fn kill(pid: &str, signal: Signal) {
    if let Some(pid) = pid.trim().parse().ok().and_then(Pid::from_raw) {
        // One that is gone already is as wanted.
        let _ = kill_process(pid, signal);
    }
}

/// Sends a signal to the program of a name.
///
/// # Errors
/// There is none of this name.
pub fn signal(lab: &Lab, name: &str, signal: Signal) -> Result<()> {
    let pid = fs::read_to_string(lab.run().join("pids").join(name))
        .map_err(|_| format!("there is no {name}"))?;
    if is_of(lab, pid.trim()) {
        kill(&pid, signal);
    }
    Ok(())
}

/// Ends the program of a name, as a crash would, and waits until it is gone.
///
/// # Errors
/// There is none of this name, or it does not end.
pub fn stop(lab: &Lab, name: &str) -> Result<()> {
    let pid = fs::read_to_string(lab.run().join("pids").join(name))
        .map_err(|_| format!("there is no {name}"))?;
    signal(lab, name, Signal::KILL)?;
    until(
        &format!("the end of {name}"),
        Duration::from_secs(10),
        || Ok(!is_of(lab, pid.trim())),
    )
}

/// Ends every process of the laboratory.
pub fn stop_all(lab: &Lab) {
    let own = std::process::id().to_string();
    // One that was just starting another may have done so behind our back: until a look finds none.
    let _ = until(
        "the end of the laboratory's processes",
        Duration::from_secs(20),
        || {
            let processes = fs::read_dir("/proc")?
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok());
            let ours: Vec<String> = processes
                .filter(|pid| {
                    pid.bytes().all(|b| b.is_ascii_digit()) && *pid != own && is_of(lab, pid)
                })
                .collect();
            ours.iter().for_each(|pid| kill(pid, Signal::KILL));
            Ok(ours.is_empty())
        },
    );
}

/// Waits for a condition.
///
/// # Errors
/// It did not come true in time: what it said last.
pub fn until(what: &str, within: Duration, mut test: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + within;
    loop {
        let last: Error = match test() {
            Ok(true) => return Ok(()),
            Ok(false) => "not yet".into(),
            Err(error) => error,
        };
        if Instant::now() > end {
            return Err(format!("{what}: not within {} s: {last}", within.as_secs()).into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
