//! Modules as people name them: wasm, WAT text, or the directory of a contract.

use std::path::Path;

use kempe_build::{BuildRequest, build_contract};
use kempe_runtime::engine::admission::limits::MODULE_BYTES;

use crate::output::{Exit, Failure, Output};
use crate::session::read_capped;

/// How much longer than the module its text may be.
const TEXT_FACTOR: u64 = 16;

/// The bytes of a module: of a wasm file, of WAT text, or of the contract in a directory, which is
/// built.
///
/// # Errors
/// When the file cannot be read, is too large, or is neither.
pub(crate) fn load(path: &Path, output: &Output) -> Result<Vec<u8>, Failure> {
    if path.is_dir() {
        let mut request = BuildRequest::new(path);
        request.color = output.color();
        let built = build_contract(&request)?;
        output.note(&built.diagnostics);
        return Ok(built.wasm);
    }
    let bytes = read_capped(path, MODULE_BYTES.max * TEXT_FACTOR)?;
    if bytes.starts_with(b"\0asm") {
        return Ok(bytes);
    }
    let is_text = path.extension().is_some_and(|extension| extension == "wat");
    if !is_text {
        let message = format!("{} is neither wasm nor WAT text", path.display());
        return Err(Failure::new(Exit::Failed, message)
            .with_help("wasm begins with \\0asm; the name of a text ends in .wat"));
    }
    wat::parse_bytes(&bytes).map(std::borrow::Cow::into_owned).map_err(|mut error| {
        error.set_path(path);
        Failure::new(Exit::Failed, located(&error.to_string()))
    })
}

/// What the parser of texts says, with the place first and without its picture of the line, of which the text decides
/// what it looks like. Nothing of the text can come behind the last arrow, since a picture is of one line.
fn located(said: &str) -> String {
    const ARROW: &str = "\n     --> ";
    let Some((what, picture)) = said.rsplit_once(ARROW) else { return said.to_owned() };
    let place = picture.lines().next().unwrap_or_default();
    format!("{place}: {what}")
}
