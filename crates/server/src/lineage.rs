//! The highest lineage that this member has belonged to, in a small file: the next one is above it also after a loss of
//! all memory, whatever the clock says.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crossbeam_channel::Receiver;
use sterna_replica::Lineage;

/// Longest content of the file, bytes: digits and an end of line.
const FILE_BYTES_MAX: u64 = 32;

/// The file, in `ClusterMemberCoordinationFolder`.
#[derive(Debug)]
pub(crate) struct LineageFile {
    path: PathBuf,
    /// What it holds.
    highest: Lineage,
}

impl LineageFile {
    /// The file of the member with that entry in `ClusterMembers`, or of a single server; members may share a folder.
    /// None if there is no such folder: it is not made, so that a container that may not write stays quiet.
    pub(crate) fn open(folder: &Path, entry: Option<&str>) -> Option<Self> {
        if !folder.is_dir() {
            tracing::debug!(folder = %folder.display(), "no such folder: the lineage is not kept over a restart");
            return None;
        }
        let member = entry.unwrap_or("single-server").replace([':', '[', ']'], "_");
        let path = folder.join(format!("lineage-{member}"));
        let highest = read(&path).unwrap_or_else(|error| {
            if error.kind() != ErrorKind::NotFound {
                tracing::warn!(
                    file = %path.display(), %error,
                    "the lineage of an earlier life cannot be read and is ignored; remove the file if it is damaged"
                );
            }
            Lineage::NONE
        });
        Some(Self { path, highest })
    }

    /// The highest lineage of earlier lives.
    pub(crate) fn highest(&self) -> Lineage {
        self.highest
    }

    /// Writes what comes, until nothing more comes or nothing can be written.
    pub(crate) fn keep(mut self, lineages: &Receiver<Lineage>) {
        for lineage in lineages {
            match self.raise(lineage) {
                Ok(()) => {}
                Err(error)
                    if [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem]
                        .contains(&error.kind()) =>
                {
                    tracing::debug!(file = %self.path.display(), %error, "the lineage is not kept over a restart");
                    return;
                }
                Err(error) => {
                    tracing::warn!(file = %self.path.display(), %error, "the lineage is not kept over a restart");
                    return;
                }
            }
        }
    }

    /// Has the file hold the lineage, if it is higher. Whenever the machine stops, the file is the old one or the new one.
    fn raise(&mut self, lineage: Lineage) -> io::Result<()> {
        if lineage <= self.highest {
            return Ok(());
        }
        let newer = self.path.with_added_extension("new");
        let mut file = File::create(&newer)?;
        file.write_all(format!("{}\n", lineage.0).as_bytes())?;
        file.sync_all()?;
        fs::rename(&newer, &self.path)?;
        File::open(self.path.parent().expect("it was joined to a folder"))?.sync_all()?;
        self.highest = lineage;
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<Lineage> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    let digits = text.strip_suffix('\n').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let lineage = digits.and_then(|digits| digits.parse().ok()).map(Lineage);
    lineage
        .filter(|lineage| *lineage <= Lineage::MAX)
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "it holds no lineage"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("sterna-lineage-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn highest(&self, entry: &str) -> Lineage {
            LineageFile::open(&self.0, Some(entry)).unwrap().highest()
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort_unstable();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn keep(folder: &Folder, entry: &str, lineages: &[u64]) {
        let (sender, receiver) = crossbeam_channel::unbounded();
        for lineage in lineages {
            sender.send(Lineage(*lineage)).unwrap();
        }
        drop(sender);
        LineageFile::open(&folder.0, Some(entry)).unwrap().keep(&receiver);
    }

    #[test]
    fn the_highest_lineage_survives_and_members_may_share_a_folder() {
        let folder = Folder::new("shared");
        assert_eq!(folder.highest("a:8801"), Lineage::NONE);
        keep(&folder, "a:8801", &[7, 5]);
        keep(&folder, "[::1]:8801", &[9]);
        keep(&folder, "a:8801", &[6]);
        assert_eq!((folder.highest("a:8801"), folder.highest("[::1]:8801")), (Lineage(7), Lineage(9)));
        keep(&folder, "a:8801", &[8]);
        assert_eq!(folder.highest("a:8801"), Lineage(8));
        assert_eq!(folder.names(), ["lineage-___1__8801", "lineage-a_8801"], "no temporary file stays");
    }

    #[test]
    fn a_damaged_file_is_ignored_and_written_anew() {
        let folder = Folder::new("damaged");
        let too_high = format!("{}\n", Lineage::MAX.0 + 1);
        let long = format!("{}\n", "1".repeat(100));
        for bad in ["", "\n", "17", "1 7\n", "-1\n", "+1\n", "x\n", "\u{e9}\n", &too_high, &long] {
            fs::write(folder.0.join("lineage-a_1"), bad).unwrap();
            assert_eq!(folder.highest("a:1"), Lineage::NONE, "{bad:?}");
        }
        keep(&folder, "a:1", &[3]);
        assert_eq!(folder.highest("a:1"), Lineage(3));
    }

    #[test]
    fn without_a_folder_nothing_is_made() {
        let folder = Folder::new("absent");
        let absent = folder.0.join("coordination_logs");
        assert!(LineageFile::open(&absent, None).is_none());
        assert!(folder.names().is_empty());
    }

    #[test]
    fn a_folder_that_cannot_be_written_ends_the_keeping() {
        let folder = Folder::new("closed");
        // For root, too: a folder stands where the temporary file should.
        fs::create_dir(folder.0.join("lineage-a_1.new")).unwrap();
        keep(&folder, "a:1", &[3, 4]);
        assert_eq!(folder.highest("a:1"), Lineage::NONE);
    }
}
