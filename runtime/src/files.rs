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
    open_checked(options, path, false)
}

/// Opens a file for reading as [`open`] does, where it must not be a symbolic link: that would be a file which
/// somebody else chose.
///
/// # Errors
/// Those of [`open`], and [`ErrorKind::InvalidInput`] for a link.
pub fn open_no_link(path: &Path) -> io::Result<File> {
    let found = fs::symlink_metadata(path)?.file_type();
    if found.is_symlink() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is a symbolic link"));
    }
    check(found)?;
    open_checked(File::options().read(true), path, true)
}

/// Opens what was looked at, and looks at what was opened: something else may have taken its place since. A pipe
/// is not waited for.
fn open_checked(options: &mut OpenOptions, path: &Path, is_no_link: bool) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let link = if is_no_link { OFlags::NOFOLLOW } else { OFlags::empty() };
        options.custom_flags((OFlags::NONBLOCK | link).bits().cast_signed());
    }
    #[cfg(not(target_os = "linux"))]
    let _ = is_no_link;
    let file = options.open(path)?;
    check(file.metadata()?.file_type())?;
    Ok(file)
}

/// Reads a file of at most `bytes_max` bytes; a larger one is refused before it is read.
///
/// # Errors
/// Those of [`open`], and [`ErrorKind::FileTooLarge`].
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    read_from(&open(path)?, bytes_max)
}

/// Reads an open file of at most `bytes_max` bytes from where it stands; see [`read`].
///
/// # Errors
/// [`ErrorKind::FileTooLarge`], and what the system says.
pub fn read_from(file: &File, bytes_max: u64) -> io::Result<Vec<u8>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_is_read_as_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, [7; 100]).unwrap();
        assert_eq!(read(&path, 100).unwrap(), [7; 100]);
        assert_eq!(read(&path, 99).unwrap_err().kind(), ErrorKind::FileTooLarge);
    }

    /// These say that they are empty, as one that grows did.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_is_longer_than_it_says_is_not_cut() {
        let path = Path::new("/proc/self/status");
        assert_eq!(read(path, 10).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert!(read(path, 1 << 20).unwrap().len() > 10);
    }

    /// Opening it may do something already, so it is not tried: the system would say something else.
    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for opened in [open(&socket), open_no_link(&socket)] {
            assert_eq!(opened.unwrap_err().kind(), ErrorKind::InvalidInput);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nothing_makes_no_file_there() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("file"), dir.path().join("link"));
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let refused = open_with(File::options().write(true).create(true), &link).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotFound);
        assert!(!path.exists());
        open_with(File::options().write(true).create(true), &path).unwrap();
        assert!(path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_only_where_it_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&path, "it").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(read_from(&open(&link).unwrap(), 2).unwrap(), b"it");
        assert_eq!(read_from(&open_no_link(&path).unwrap(), 2).unwrap(), b"it");
        assert_eq!(open_no_link(&link).unwrap_err().to_string(), "it is a symbolic link");
        let refused = open_no_link(dir.path()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::IsADirectory);
        // What takes the place of a file that was looked at is not followed either.
        assert!(open_checked(File::options().read(true), Path::new("/dev/null"), true).is_err());
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{CWD, FileType, Mode, mknodat};
            assert!(open_checked(File::options().read(true), &link, true).is_err());
            let pipe = dir.path().join("pipe");
            mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
            // Nobody writes to it, so waiting would never end.
            assert!(open_checked(File::options().read(true), &pipe, true).is_err());
        }
    }
}
