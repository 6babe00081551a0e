//! Where a bench ran.

use std::fs;

use serde::{Deserialize, Serialize};

/// The machine and the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name, as far as the system tells.
    pub processor: String,
    /// How many threads run at once.
    pub cores: usize,
    /// The system and its architecture.
    pub system: String,
    /// The program's version.
    pub version: String,
    /// The commit of the working directory, if it is a checkout.
    pub commit: Option<String>,
}

impl Machine {
    /// This machine. `commit` is known to the caller or not at all.
    #[must_use]
    pub fn here(commit: Option<String>) -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let name = info.lines().find_map(|line| line.strip_prefix("model name"));
        let name = name.and_then(|rest| rest.split_once(':')).map(|(_, name)| name.trim());
        Self {
            processor: name.unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit,
        }
    }
}
