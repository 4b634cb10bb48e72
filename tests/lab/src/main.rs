//! The command line of the laboratory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::{Parser, Subcommand};
use lab::api::Api;
use lab::google::Google;
use lab::layout::{ADMIN_TOKEN, Lab};
use lab::vpc::{EMULATOR, FRONT};
use lab::{
    Result, answer, certificates, control_plane, front, kubelet, mesh, network, process, programs,
    record, relay, request, requirements, settle, vpc,
};
use serde_json::Value;

/// A Kubernetes cluster with a mesh, of the real programs, in network namespaces of this machine
#[derive(Debug, Parser)]
#[command(name = "lab", version, arg_required_else_help = true)]
struct Cli {
    /// Which one, of several side by side
    #[arg(long, global = true, env = "LAB_NAME", default_value = "lab")]
    name: String,
    /// The folder of the programs and of what runs [default: ~/.cache/provision-lab]
    #[arg(long, global = true, env = "LAB_HOME")]
    home: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Build the programs that are not built yet
    Build,
    /// Say in one line what this machine lacks; exit 1 if anything
    Check,
    /// Start a cluster with its mesh
    Up {
        /// Without istiod
        #[arg(long)]
        no_mesh: bool,
    },
    /// End everything that up started, however far it came
    Down,
    /// Start the emulator of Google's APIs, and let the cluster be the one that every GKE cluster of it leads to
    Google {
        /// The program `provision`
        #[arg(long)]
        provision: PathBuf,
        /// The API server's address, where a relay is to be between
        #[arg(long)]
        endpoint: Option<String>,
    },
    /// Print exports for a shell, under which provision works on this laboratory
    Env {
        /// The program `provision`
        #[arg(long)]
        provision: PathBuf,
    },
    /// Apply manifests and wait until they are carried out
    Apply { files: Vec<PathBuf> },
    /// Delete what manifests name
    Delete { files: Vec<PathBuf> },
    /// Wait until pods are ready and proxies have their configuration
    Settle,
    /// Make requests from pods: a JSON list on stdin, a JSON list of what became of them on stdout
    Ask,
    /// Let the VPC's firewall rules hold, or not
    Firewall {
        #[arg(value_parser = ["on", "off"])]
        state: String,
    },
    /// Kill a program of the control plane
    Kill {
        #[arg(value_parser = ["etcd", "kube-apiserver"])]
        program: String,
    },
    /// Start a program of the control plane that was killed
    Start {
        #[arg(value_parser = ["etcd", "kube-apiserver"])]
        program: String,
    },
    /// Put a slow or a flapping relay before the API server, until it is killed
    Relay(relay::Settings),
    /// Stand before an API server and write down what passes, until it is killed
    Record(record::Settings),
    /// Run kubectl as the administrator
    #[command(disable_help_flag = true)]
    Kubectl {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Run istioctl as the administrator
    #[command(disable_help_flag = true)]
    Istioctl {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Print a page of the admin interface of a pod's Envoy: config_dump, clusters
    Proxy {
        /// NAMESPACE/POD, or the beginning of the pod's name
        pod: String,
        page: String,
    },
    /// Run a program in the nodes' network
    #[command(disable_help_flag = true)]
    Run {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    #[command(hide = true)]
    Kubelet,
    #[command(hide = true)]
    Front { endpoint: Option<String> },
    #[command(hide = true)]
    Answer(answer::Settings),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match carry_out(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(cli: Cli) -> Result<ExitCode> {
    // Several crates bring a TLS provider each; this one is everybody's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let home = cli
        .home
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/provision-lab")));
    let lab = Lab::new(
        &cli.name,
        home.ok_or("name a folder with --home: there is no home folder")?,
    )?;
    match cli.verb {
        Verb::Build => programs::build(&lab, |line| println!("{line}"))?,
        Verb::Check => requirements::check(&lab)?,
        Verb::Up { no_mesh } => up(&lab, no_mesh)?,
        Verb::Down => down(&lab)?,
        Verb::Google {
            provision,
            endpoint,
        } => google(&lab, &provision, endpoint)?,
        Verb::Env { provision } => print!("{}", environment(&lab, &provision)?),
        Verb::Kill { program } => process::stop(&lab, &program)?,
        Verb::Start { program } if program == "etcd" => control_plane::etcd(&lab)?,
        Verb::Start { .. } => control_plane::api_server(&lab)?,
        Verb::Kubectl { arguments } => {
            return status(mesh::command(&lab, "kubectl".as_ref()).args(arguments));
        }
        Verb::Istioctl { arguments } => {
            return status(
                mesh::command(&lab, lab.bin().join("istioctl").as_os_str()).args(arguments),
            );
        }
        Verb::Run { command } => {
            let [program, arguments @ ..] = command.as_slice() else {
                return Err("name a program".into());
            };
            return status(mesh::command(&lab, program).args(arguments));
        }
        Verb::Record(settings) => wait_for(record::serve(&lab, settings))?,
        Verb::Answer(settings) => {
            // The one outside is the only one that Google is to be had from; it has the laboratory's mark.
            let google = settings.redirected.then(|| Google::new(&lab));
            wait_for(answer::serve(settings, google))?;
        }
        inside => return in_nodes(&lab, inside),
    }
    Ok(ExitCode::SUCCESS)
}

/// What is done from within the nodes' network.
fn in_nodes(lab: &Lab, verb: Verb) -> Result<ExitCode> {
    network::enter(&lab.nodes())?;
    wait_for(async {
        match verb {
            Verb::Kubelet => kubelet::serve(lab).await?,
            Verb::Front { endpoint } => front::serve(lab, endpoint).await?,
            Verb::Relay(settings) => relay::serve(settings).await?,
            Verb::Firewall { state } => vpc::switch(lab, state == "on").await?,
            Verb::Settle => settle(lab).await?,
            Verb::Ask => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text)?;
                let requests: Vec<Value> = serde_json::from_str(&text)?;
                let api = Api::connect(lab).await?;
                println!(
                    "{:#}",
                    Value::from(request::ask(lab, &api, &requests).await?)
                );
            }
            Verb::Apply { files } => {
                kubectl(
                    lab,
                    &["apply", "--server-side", "--force-conflicts"],
                    &files,
                )?;
                settle(lab).await?;
            }
            Verb::Delete { files } => {
                kubectl(
                    lab,
                    &["delete", "--ignore-not-found", "--wait=true"],
                    &files,
                )?;
                settle(lab).await?;
            }
            Verb::Proxy { pod, page } => {
                let (namespace, name) = pod.split_once('/').ok_or("name a pod as NAMESPACE/POD")?;
                let pods = Api::connect(lab).await?.pods().await?;
                let found = pods.iter().find(|pod| {
                    pod["metadata"]["namespace"] == namespace
                        && pod["metadata"]["name"]
                            .as_str()
                            .is_some_and(|own| own.starts_with(name))
                });
                let network = settle::network_of(lab, found.ok_or(format!("no pod {pod}"))?);
                let [nsenter, net] = lab.entering(&network);
                return status(Command::new(nsenter).args([
                    &net,
                    "curl",
                    "-s",
                    &format!("127.0.0.1:15000/{page}"),
                ]));
            }
            _ => {}
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn wait_for<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

fn status(command: &mut Command) -> Result<ExitCode> {
    let ended = command.status()?;
    Ok(ExitCode::from(
        u8::try_from(ended.code().unwrap_or(1)).unwrap_or(1),
    ))
}

fn kubectl(lab: &Lab, verb: &[&str], files: &[PathBuf]) -> Result<()> {
    let mut command = mesh::command(lab, "kubectl".as_ref());
    command.args(verb);
    files.iter().for_each(|file| {
        command.arg("-f").arg(file);
    });
    if command
        .stdout(std::process::Stdio::null())
        .status()?
        .success()
    {
        Ok(())
    } else {
        Err("kubectl refused it".into())
    }
}

async fn settle(lab: &Lab) -> Result<()> {
    let api = Api::connect(lab).await?;
    settle::settle(lab, &api, Duration::from_secs(90))
        .await?
        .iter()
        .for_each(|line| eprintln!("lab: {line}"));
    Ok(())
}

fn up(lab: &Lab, no_mesh: bool) -> Result<()> {
    requirements::check(lab)?;
    programs::check(lab)?;
    down(lab)?;
    for folder in ["log", "pids", "pods"] {
        std::fs::create_dir_all(lab.run().join(folder))?;
    }
    certificates::make(lab)?;
    network::make(lab)?;
    std::fs::copy(std::env::current_exe()?, lab.program())?;
    let (own, pki) = (
        lab.program().display().to_string(),
        lab.pki().display().to_string(),
    );
    let home = lab.home.display().to_string();
    let by_name = ["--name", lab.name.as_str(), "--home", home.as_str()];
    vpc::name_server(lab, &BTreeMap::new())?;
    let corefile = lab.run().join("cloud-dns/Corefile").display().to_string();
    let coredns = lab.bin().join("coredns").display().to_string();
    process::start(
        lab,
        "cloud-dns",
        &lab.outside(),
        &[coredns.as_str(), "-conf", &corefile],
    )?;
    let everybody = network::EVERYBODY.to_string();
    let outside = [
        &[own.as_str()],
        &by_name[..],
        &[
            "answer",
            "--who",
            "outside",
            "--redirected",
            "--ports",
            &everybody,
            "--pki",
            &pki,
        ],
    ]
    .concat();
    process::start(lab, "outside", &lab.outside(), &outside)?;
    control_plane::etcd(lab)?;
    control_plane::api_server(lab)?;
    network::enter(&lab.nodes())?;
    wait_for(async {
        let api = control_plane::is_ready(lab).await?;
        control_plane::the_rest(lab, &api).await?;
        process::start(
            lab,
            "kubelet",
            &lab.nodes(),
            &[&[own.as_str()], &by_name[..], &["kubelet"]].concat(),
        )?;
        let streams = lab.bin().join("kubelet-streams").display().to_string();
        let (certificate, key) = (
            format!("{pki}/apiserver.crt"),
            format!("{pki}/apiserver.key"),
        );
        let run = lab.run().display().to_string();
        let streams = [
            streams.as_str(),
            "--run",
            &run,
            "--listen",
            "0.0.0.0:10250",
            "--cert",
            &certificate,
            "--key",
            &key,
        ];
        process::start(lab, "kubelet-streams", &lab.nodes(), &streams)?;
        mesh::add_ons(lab)?;
        if !no_mesh {
            mesh::install(lab, &api).await?;
        }
        settle::settle(lab, &api, Duration::from_secs(90)).await
    })?;
    println!(
        "{} is up; its nodes are in the network namespace {}",
        lab.name,
        lab.nodes()
    );
    Ok(())
}

fn down(lab: &Lab) -> Result<()> {
    process::stop_all(lab);
    network::remove(lab);
    match std::fs::remove_dir_all(lab.run()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn google(lab: &Lab, provision: &std::path::Path, endpoint: Option<String>) -> Result<()> {
    let provision = std::fs::canonicalize(provision)?.display().to_string();
    let state = lab.run().join("emulator.json").display().to_string();
    for name in ["front", "emulator", "google-socket"] {
        // One that does not run is as wanted.
        let _ = process::stop(lab, name);
    }
    process::start(
        lab,
        "emulator",
        &lab.nodes(),
        &[
            provision.as_str(),
            "emulator",
            "--listen",
            EMULATOR,
            "--state",
            &state,
        ],
    )?;
    let home = lab.home.display().to_string();
    let own = lab.program().display().to_string();
    let mut front = vec![own.as_str(), "--name", &lab.name, "--home", &home, "front"];
    front.extend(endpoint.as_deref());
    process::start(lab, "front", &lab.nodes(), &front)?;
    let socket = vpc::socket(lab);
    let listen = format!(
        "UNIX-LISTEN:{},fork,mode=600,unlink-early",
        socket.display()
    );
    process::start(
        lab,
        "google-socket",
        &lab.nodes(),
        &["socat", &listen, &format!("TCP4:{EMULATOR}")],
    )?;
    let [nsenter, net] = lab.entering(&lab.nodes());
    let front = format!(
        "http://{FRONT}/compute.googleapis.com/compute/v1/projects/{}/global/firewalls",
        vpc::PROJECT
    );
    process::until("the emulator", Duration::from_secs(10), || {
        let answered = process::output(&[
            nsenter.as_str(),
            &net,
            "curl",
            "-s",
            "-m",
            "2",
            "-o",
            "/dev/null",
            &front,
        ]);
        Ok(answered.is_ok() && socket.exists())
    })
}

fn environment(lab: &Lab, provision: &std::path::Path) -> Result<String> {
    let token = lab.run().join("token");
    std::fs::write(&token, ADMIN_TOKEN)?;
    let exports = process::output(&[
        provision.as_os_str(),
        "emulator".as_ref(),
        "env".as_ref(),
        "--listen".as_ref(),
        FRONT.as_ref(),
    ])?;
    // The cluster is a real one, and asks for credentials.
    let kept = exports
        .lines()
        .filter(|line| !line.contains("DISABLE_CREDENTIALS"));
    let mut text: String = kept.map(|line| format!("{line}\n")).collect();
    text += &format!(
        "export CLOUDSDK_AUTH_ACCESS_TOKEN_FILE='{}'\n",
        token.display()
    );
    text += &format!(
        "export CLOUDSDK_CORE_PROJECT='{}'\nexport CLOUDSDK_COMPUTE_ZONE='us-central1-a'\n",
        vpc::PROJECT
    );
    Ok(text)
}
