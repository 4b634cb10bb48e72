//! curl 7.88.1, as the tutorial's image has it: its requests, its output and its exit codes.
//!
//! The texts are those of curl itself (`fixtures/curl/`). It deliberately has no progress meter, no retries, no redirects and
//! no files: the emulated container has `/dev/null` and the standard streams. Connections are reused in what `-v` shows only.

mod caller;
mod ending;
mod option_table;
mod options;
mod output;
mod parse;
mod target;
mod transfer;
mod wire;
mod write_out;

use transfer::Curl;

use super::run::{Network, ProgramResult};

pub use caller::Caller;

const VERSION: &str = "curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1 OpenSSL/3.0.19 (emulated)\nProtocols: http https\n";
const BOTH: &str = "Warning: You can only select one HTTP request method! You asked for both POST \n\
    Warning: (-d, --data) and HEAD (-I, --head).\n";

/// Runs curl with these arguments.
pub fn run(arguments: &[String], caller: &Caller, network: &dyn Network) -> ProgramResult {
    let options = match parse::parse(arguments) {
        Ok(options) => options,
        Err(refused) => return ProgramResult::failed(refused.code, refused.message),
    };
    if options.version {
        return ProgramResult::said(VERSION);
    }
    let mut curl = Curl::new(&options, caller, network);
    for file in &options.missing_files {
        curl.output.warn(format!(
            "Warning: Couldn't read data from file \"{file}\", this makes an empty POST.\n"
        ));
    }
    if options.head && options.data.is_some() && !options.get {
        curl.output.warn(BOTH);
        return curl.ended(2);
    }
    let mut code = 0;
    for number in 0..options.urls.len() {
        code = curl.get(number);
        if code != 0 && options.fail_early {
            break;
        }
    }
    curl.ended(code)
}

#[cfg(test)]
mod tests;
