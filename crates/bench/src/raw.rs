//! The raw baseline: a process that does nothing but `send` the same bytes over the same number of sockets.
//!
//! Its first connection controls it: the number of sockets and the bytes to send (both counts as 4 bytes, big
//! endian), then one byte for each round. It greets each further connection like a server, so that the load opens
//! both in the same way.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use sterna_wire::websocket::{self, Opcode};

use crate::error::{Failure, Result, system};
use crate::feed::Source;
use crate::load::{Load, Target};
use crate::server::own_binary;
use crate::system::{Cores, raise_descriptors};
use crate::usage::CpuTime;

/// What the hidden command is called.
pub(crate) const COMMAND: &str = "raw";

/// The baseline's process: serves one control connection after the other.
pub(crate) fn serve() -> Result<()> {
    raise_descriptors();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(system("listen"))?;
    let port = listener.local_addr().map_err(system("listen"))?.port();
    writeln!(io::stdout(), "{port}").map_err(system("tell the port"))?;
    loop {
        serve_one(&listener, &greeting()).map_err(system("serve as the baseline"))?;
    }
}

/// What a connection of the baseline hears first.
fn greeting() -> Vec<u8> {
    let mut greeting = Vec::new();
    websocket::frame(Opcode::Text, br#"{"op":"connected"}"#, false, &mut greeting);
    greeting
}

/// Serves until the control connection ends.
fn serve_one(listener: &TcpListener, greeting: &[u8]) -> io::Result<()> {
    let (mut control, _) = listener.accept()?;
    let sockets = read_count(&mut control)?;
    let mut bytes = vec![0; read_count(&mut control)?];
    control.read_exact(&mut bytes)?;
    let sockets: Vec<TcpStream> =
        (0..sockets).map(|_| accept(listener, greeting)).collect::<io::Result<_>>()?;
    let mut rounds = [0; 64];
    loop {
        let count = control.read(&mut rounds)?;
        if count == 0 {
            return Ok(());
        }
        for _ in 0..count {
            for socket in &sockets {
                send(socket, &bytes)?;
            }
        }
    }
}

fn accept(listener: &TcpListener, greeting: &[u8]) -> io::Result<TcpStream> {
    let (socket, _) = listener.accept()?;
    socket.set_nonblocking(true)?;
    socket.set_nodelay(true)?;
    send(&socket, greeting)?;
    Ok(socket)
}

/// One `send`; further ones only if the socket was full, which the bounded number of rounds under way prevents.
fn send(mut socket: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn read_count(control: &mut TcpStream) -> io::Result<usize> {
    let mut count = [0; 4];
    control.read_exact(&mut count)?;
    Ok(u32::from_be_bytes(count) as usize)
}

/// The baseline's process as the load sees it.
pub(crate) struct Baseline {
    child: Child,
    address: SocketAddr,
}

impl Baseline {
    pub(crate) fn start(cores: Cores) -> Result<Self> {
        let mut command = Command::new(own_binary()?);
        command.args(["bench", COMMAND]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = cores.spawn(&mut command)?;
        let mut line = Vec::new();
        let mut stdout = child.stdout.take().expect("it was asked for");
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            stdout.read_exact(&mut byte).map_err(system("hear from the baseline"))?;
            line.push(byte[0]);
        }
        let port = String::from_utf8_lossy(&line).trim().parse::<u16>();
        let port = port.map_err(|_| Failure::broken("the baseline does not tell its port"))?;
        Ok(Self { child, address: (Ipv4Addr::LOCALHOST, port).into() })
    }

    /// Connects the load to it.
    pub(crate) fn open(&self, load: &mut Load, connections: usize, bytes: &[u8]) -> Result<RawFeed> {
        RawFeed::open(self.address, load, connections, bytes)
    }

    pub(crate) fn cpu(&self) -> Result<CpuTime> {
        CpuTime::of(self.child.id())
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        // Nothing of it is wanted any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The connections of the load to the baseline, fed in rounds.
pub(crate) struct RawFeed {
    control: TcpStream,
}

impl RawFeed {
    fn open(address: SocketAddr, load: &mut Load, connections: usize, bytes: &[u8]) -> Result<Self> {
        let mut control = TcpStream::connect(address).map_err(system("reach the baseline"))?;
        control.set_nodelay(true).map_err(system("reach the baseline"))?;
        let mut head = Vec::new();
        for count in [connections, bytes.len()] {
            let count = u32::try_from(count).expect("bounded by what a process can open");
            head.extend_from_slice(&count.to_be_bytes());
        }
        head.extend_from_slice(bytes);
        control.write_all(&head).map_err(system("tell the baseline what to do"))?;
        let target = Target { address, tls: None, handshake: false };
        load.open_many(&target, connections, |_| Vec::new())?;
        Ok(Self { control })
    }
}

impl Source for RawFeed {
    /// Lets the baseline send once on each socket.
    fn begin_round(&mut self, _load: &mut Load) -> Result<()> {
        self.control.write_all(&[0]).map_err(system("tell the baseline to go on"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::run_rounds;

    #[test]
    fn a_round_reaches_each_connection_once_however_many_are_ahead() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let baseline = std::thread::spawn(move || serve_one(&listener, &greeting()));
        let mut load = Load::new().unwrap();
        let mut frame = Vec::new();
        websocket::frame(Opcode::Text, br#"{"op":"message","content":"x"}"#, false, &mut frame);
        let mut feed = RawFeed::open(address, &mut load, 20, &frame).unwrap();
        for (rounds, ahead) in [(3, 1), (50, 8)] {
            let before = *load.counts();
            run_rounds(&mut load, &mut feed, 20, rounds, ahead).unwrap();
            assert_eq!(load.counts().messages - before.messages, rounds * 20);
        }
        drop(feed);
        baseline.join().unwrap().unwrap();
    }
}
