//! A member whose addresses are its own business: it says where it listens.

use crate::support::{Folder, Running, sterna};

/// A running member.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) running: Running,
    folder: Folder,
}

impl Listening {
    /// Starts a member in a folder, which may hold its configuration, and waits until it is ready.
    pub(crate) fn start(folder: Folder, options: &[&str]) -> Self {
        let member = Self::begin(folder, options);
        member.wait_ready();
        member
    }

    /// The same without the wait.
    pub(crate) fn begin(folder: Folder, options: &[&str]) -> Self {
        let options = [&["-DMonitorPrometheus.Listen=127.0.0.1:0"], options].concat();
        let running = Running::start(sterna(&options).current_dir(folder.path()));
        Self { running, folder }
    }

    /// Waits until it is ready.
    pub(crate) fn wait_ready(&self) {
        let Running { stdout, stderr, .. } = &self.running;
        assert!(stdout.find(" ready ").is_some(), "it ended: {:?} {:?}", stdout.all(), stderr.all());
    }

    /// The folder it runs in.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The addresses that it has bound for a parameter.
    pub(crate) fn addresses(&self, parameter: &str) -> Vec<String> {
        let parameter = format!("parameter={parameter}");
        let lines = self.running.stdout.lines();
        let lines = lines.iter().filter(|line| line.split(' ').any(|word| word == parameter));
        let address =
            |line: &String| line.split(' ').find_map(|word| word.strip_prefix("address=")).map(str::to_owned);
        lines.filter_map(address).collect()
    }

    /// The one address that it has bound for a parameter.
    pub(crate) fn address(&self, parameter: &str) -> String {
        let addresses = self.addresses(parameter);
        let [address] = &addresses[..] else { panic!("{addresses:?}") };
        address.clone()
    }

    /// Asks it to end, and waits for that. Its log must have as many ERROR lines as are expected.
    pub(crate) fn stop(&mut self, errors: usize) {
        self.running.signal("TERM");
        assert_eq!(self.running.wait(), Some(0));
        let lines = [self.running.stdout.all(), self.running.stderr.all()].concat();
        let is_error = |line: &&String| line.contains(" ERROR ") || line.contains("panicked");
        assert_eq!(lines.iter().filter(is_error).count(), errors, "{lines:#?}");
    }
}
