//! The files of the project as git knows them, read once.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::program::output;

/// One file.
pub(crate) struct File {
    /// From the root of the project, with `/` between the parts.
    pub(crate) path: String,
    /// Size in bytes.
    pub(crate) bytes: usize,
    /// Empty if the file is not UTF-8 text.
    pub(crate) text: String,
}

impl File {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(crate) fn is_markdown(&self) -> bool {
        self.path.ends_with(".md")
    }

    /// Lines with their numbers, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// All files that are, or would be, committed.
pub(crate) struct Tree {
    /// In the order of their paths.
    pub(crate) files: Vec<File>,
}

impl Tree {
    /// Reads the working copy: tracked files, and new ones that are not ignored.
    ///
    /// # Errors
    /// Not a git working copy, or a file cannot be read.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut git = Command::new("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
        let mut files = Vec::new();
        for path in output(&mut git)?.split_terminator('\0') {
            let content = match fs::read(root.join(path)) {
                Ok(content) => content,
                // Deleted, but not yet committed.
                Err(problem) if problem.kind() == ErrorKind::NotFound => continue,
                Err(problem) => return Err(format!("{path}: {problem}").into()),
            };
            let bytes = content.len();
            files.push(File {
                path: path.into(),
                bytes,
                text: String::from_utf8(content).unwrap_or_default(),
            });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    /// The file at that path.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether a file or a folder has that path.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let inside = |file: &File| file.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        path.is_empty() || self.file(path).is_some() || self.files.iter().any(inside)
    }

    /// A tree for a test.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).into(),
            bytes: text.len(),
            text: (*text).into(),
        };
        Self { files: files.iter().map(file).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_files_and_folders() {
        let tree = Tree::of(&[("docs/adr/one.md", ""), ("README.md", "")]);
        for path in ["README.md", "docs", "docs/", "docs/adr", "docs/adr/one.md", ""] {
            assert!(tree.has(path), "{path}");
        }
        for path in ["doc", "docs/adr/two.md", "README.md/x"] {
            assert!(!tree.has(path), "{path}");
        }
    }
}
