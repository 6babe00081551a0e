//! `kempe new`: a contract from a template.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use kempe_runtime::files;
use serde::Serialize;

use crate::args::HELP;
use crate::bindings::RUST_KEYWORDS;
use crate::output::{Exit, Failure, Output};

const EXAMPLES: &str = "\
Examples:
  kempe new greeter                 the directory greeter, with a contract and its tests
  kempe new greeter --dir work/it   another directory
  kempe new greeter --sdk ~/kempe/sdk";

/// The files of the template. `{{name}}`, `{{contract}}` and `{{sdk}}` are filled in.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../../template/Cargo.toml.txt")),
    ("README.md", include_str!("../../template/README.md.txt")),
    ("src/lib.rs", include_str!("../../template/lib.rs.txt")),
    ("src/test.rs", include_str!("../../template/test.rs.txt")),
    (".gitignore", "/target\n"),
];

/// The largest manifest of an SDK that is read.
const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;

/// The longest name of a contract, in bytes.
const NAME_BYTES_MAX: usize = 40;

/// The arguments of `kempe new`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// The name of the contract's crate
    name: String,

    /// The directory to make [default: the name]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// The directory of kempe-sdk [default: that of the sources this program was built from]
    #[arg(long, value_name = "DIR", conflicts_with = "sdk_git")]
    sdk: Option<PathBuf>,

    /// A git repository with kempe-sdk
    #[arg(long, value_name = "URL")]
    sdk_git: Option<String>,
}

#[derive(Serialize)]
struct Made {
    name: String,
    dir: String,
    files: Vec<String>,
}

pub(super) fn run(args: &Args, output: &Output) -> Result<(), Failure> {
    check_name(&args.name)?;
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    if fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_some()) || dir.is_file() {
        return Err(Failure::new(Exit::Failed, format!("{} is there already", dir.display()))
            .with_help("choose another name, or another directory with --dir"));
    }
    let sdk = sdk_dependency(args)?;
    let mut files = Vec::new();
    for (path, template) in FILES {
        let contents = template
            .replace("{{name}}", &args.name)
            .replace("{{contract}}", &camel_case(&args.name))
            .replace("{{sdk}}", &sdk);
        let path = dir.join(path);
        write(&path, &contents).with_context(|| format!("writing {}", path.display()))?;
        files.push(path.display().to_string());
    }
    output.note(format_args!(
        "next: cd {}, cargo test, kempe build; then change src/lib.rs",
        dir.display()
    ));
    let made = Made { name: args.name.clone(), dir: dir.display().to_string(), files };
    output.done(&made.dir, &made, format_args!("{} is made", made.dir))
}

fn write(path: &Path, contents: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, contents)
}

/// The right side of `kempe-sdk = ` in `Cargo.toml`.
fn sdk_dependency(args: &Args) -> Result<String, Failure> {
    if let Some(url) = &args.sdk_git {
        return Ok(format!("{{ git = {} }}", quoted(url)));
    }
    let built_from = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk"));
    let dir = args.sdk.clone().unwrap_or_else(built_from);
    let manifest = files::read(&dir.join("Cargo.toml"), MANIFEST_BYTES_MAX).unwrap_or_default();
    let is_sdk = String::from_utf8_lossy(&manifest).contains("name = \"kempe-sdk\"");
    if !is_sdk {
        return Err(Failure::new(Exit::Failed, format!("{} is not kempe-sdk", dir.display()))
            .with_help("name the `sdk` directory of Kempe's sources with --sdk, or a repository with --sdk-git"));
    }
    let dir = fs::canonicalize(&dir).with_context(|| format!("finding {}", dir.display()))?;
    let dir = dir.to_str().context("the path of kempe-sdk is not UTF-8")?;
    Ok(format!("{{ path = {} }}", quoted(dir)))
}

/// A TOML string: the escapes of JSON are a part of TOML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn check_name(name: &str) -> Result<(), Failure> {
    let fail = |what: &str| {
        let message = format!("`{}` {what}", name.escape_debug());
        Err(Failure::new(Exit::Usage, message).with_help("a good name: greeter, token-sale"))
    };
    let permitted = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    if !name.starts_with(|c: char| c.is_ascii_lowercase())
        || !name.bytes().all(permitted)
        || name.len() > NAME_BYTES_MAX
    {
        return fail("is not a name of 1 to 40 of a-z, 0-9, - and _, with a letter first");
    }
    // A crate of one of these names hides another, or is refused by cargo; a struct of one of
    // them hides a type of the prelude.
    const TAKEN: &[&str] = &[
        "abi",
        "address",
        "alloc",
        "contract",
        "core",
        "counter",
        "error",
        "event",
        "hash",
        "item",
        "kempe",
        "kempe-sdk",
        "kempe_sdk",
        "map",
        "option",
        "proc-macro",
        "proc_macro",
        "result",
        "revert",
        "self",
        "std",
        "string",
        "super",
        "test",
        "value",
        "vec",
        "immutable",
    ];
    if TAKEN.contains(&name) || RUST_KEYWORDS.contains(&name) {
        return fail("has a meaning of its own in Rust or in the SDK");
    }
    Ok(())
}

/// `token-sale` is the struct `TokenSale`.
fn camel_case(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        format!("{}{rest}", first.to_ascii_uppercase())
    };
    name.split(['-', '_']).map(word).collect()
}
