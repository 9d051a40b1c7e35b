//! A log file that gives way to a new one when it has grown to its limit.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Appends whole lines to `NAME`. What is full becomes `NAME.1`, `NAME.2`, ...: the higher, the newer. Old
/// files stay until somebody removes them.
pub(super) struct RotatingFile {
    path: PathBuf,
    limit_bytes: u64,
    written_bytes: u64,
    /// Number of the next full file.
    next: u32,
    file: BufWriter<File>,
}

impl RotatingFile {
    /// Opens the file, at its end if it is there already.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(super) fn open(path: &Path, limit_bytes: u64) -> io::Result<Self> {
        let file = append(path)?;
        let written_bytes = file.metadata()?.len();
        let next = highest_number(path)? + 1;
        Ok(Self { path: path.to_owned(), limit_bytes, written_bytes, next, file: BufWriter::new(file) })
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let mut full = self.path.clone().into_os_string();
        full.push(format!(".{}", self.next));
        match fs::rename(&self.path, full) {
            Ok(()) => self.next += 1,
            // Somebody took it away, or an earlier attempt came no further.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        self.file = BufWriter::new(append(&self.path)?);
        self.written_bytes = 0;
        Ok(())
    }
}

impl Write for RotatingFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let bytes = line.len() as u64;
        if self.written_bytes > 0 && self.written_bytes + bytes > self.limit_bytes {
            // A file that grows beyond its limit is better than a line that is lost.
            let _ = self.rotate();
        }
        self.file.write_all(line)?;
        self.written_bytes += bytes;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Highest number of the full files beside `path`; 0 is none.
fn highest_number(path: &Path) -> io::Result<u32> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = format!("{}.", path.file_name().unwrap_or_default().to_string_lossy());
    let mut highest = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(&prefix)?.parse().ok());
        highest = highest.max(number.unwrap_or(0));
    }
    Ok(highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty folder of this test alone.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("sterna-rotate-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn write(file: &mut RotatingFile, line: &str) {
        file.write_all(line.as_bytes()).unwrap();
        file.flush().unwrap();
    }

    #[test]
    fn a_full_file_gives_way_to_a_new_one_and_stays() {
        let folder = folder("full");
        let path = folder.join("a.log");
        let mut file = RotatingFile::open(&path, 10).unwrap();
        for line in ["11111\n", "222\n", "3\n", "a line longer than the limit\n", "5\n"] {
            write(&mut file, line);
        }
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(read("a.log.1"), "11111\n222\n");
        assert_eq!(read("a.log.2"), "3\n");
        assert_eq!(read("a.log.3"), "a line longer than the limit\n");
        assert_eq!(read("a.log"), "5\n");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_restart_goes_on_with_the_file_and_the_numbers() {
        let folder = folder("restart");
        let path = folder.join("a.log");
        fs::write(folder.join("a.log.7"), "old\n").unwrap();
        fs::write(folder.join("a.log.gz"), "foreign").unwrap();
        write(&mut RotatingFile::open(&path, 10).unwrap(), "11111\n");
        let mut file = RotatingFile::open(&path, 10).unwrap();
        write(&mut file, "222\n");
        write(&mut file, "3\n");
        assert_eq!(fs::read_to_string(folder.join("a.log.8")).unwrap(), "11111\n222\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "3\n");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_replaced_goes_on() {
        let folder = folder("stuck");
        let path = folder.join("a.log");
        let mut file = RotatingFile::open(&path, 4).unwrap();
        write(&mut file, "111\n");
        fs::remove_dir_all(&folder).unwrap();
        write(&mut file, "222\n");
        fs::create_dir_all(&folder).unwrap();
        write(&mut file, "333\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "333\n");
        fs::remove_dir_all(folder).unwrap();
    }
}
