//! Opening files that others may have put there.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Opens a file for reading. What is no file is refused: a directory, and pipes, sockets and devices, which may
/// never answer or never end. Symbolic links are followed.
///
/// ```
/// let error = kempe_runtime::files::open("/".as_ref()).unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::IsADirectory);
/// ```
///
/// # Errors
/// [`ErrorKind::IsADirectory`], [`ErrorKind::InvalidInput`] for the others, and what the system says.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(File::options().read(true), path)
}

/// Opens a file in another way than for reading, which may also make it; see [`open`].
///
/// # Errors
/// Those of [`open`].
pub fn open_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    match fs::metadata(path) {
        // Opening a device may do something already.
        Ok(found) => check(found.file_type())?,
        // A link to nothing would make a file elsewhere.
        Err(error) if path.is_symlink() => return Err(error),
        Err(_) => {}
    }
    // A pipe that has taken its place since must not be waited for.
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path)?;
    check(file.metadata()?.file_type())?;
    Ok(file)
}

/// Reads a file of at most `bytes_max` bytes; a larger one is refused before it is read.
///
/// # Errors
/// Those of [`open`], and [`ErrorKind::FileTooLarge`].
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let too_large = || {
        let what = format!("it is larger than {bytes_max} bytes");
        io::Error::new(ErrorKind::FileTooLarge, what)
    };
    if file.metadata()?.len() > bytes_max {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // It may grow meanwhile.
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max { Err(too_large()) } else { Ok(bytes) }
}

fn check(kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    Err(if kind.is_dir() {
        io::Error::new(ErrorKind::IsADirectory, "it is a directory, not a file")
    } else {
        let what = "it is a pipe, a socket or a device: write what it says into a file first";
        io::Error::new(ErrorKind::InvalidInput, what)
    })
}
