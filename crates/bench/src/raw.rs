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
use crate::load::{Load, Target};
use crate::server::own_binary;
use crate::system::{Cores, raise_descriptors};
use crate::usage::CpuTime;

/// What the hidden command is called.
pub(crate) const COMMAND: &str = "raw";

/// What a connection of the baseline hears first.
const GREETING: &[u8] = br#"{"op":"connected"}"#;

/// The baseline's process: serves one control connection after the other.
pub(crate) fn serve() -> Result<()> {
    raise_descriptors();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(system("listen"))?;
    let mut greeting = Vec::new();
    websocket::frame(Opcode::Text, GREETING, false, &mut greeting);
    let port = listener.local_addr().map_err(system("listen"))?.port();
    writeln!(io::stdout(), "{port}").map_err(system("tell the port"))?;
    loop {
        serve_one(&listener, &greeting).map_err(system("serve as the baseline"))?;
    }
}

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

/// The baseline as the load sees it.
pub(crate) struct Baseline {
    child: Child,
    address: SocketAddr,
    control: Option<TcpStream>,
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
        Ok(Self { child, address: (Ipv4Addr::LOCALHOST, port).into(), control: None })
    }

    /// Connects the load to it.
    pub(crate) fn open(&mut self, load: &mut Load, connections: usize, bytes: &[u8]) -> Result<()> {
        // The old control connection ends first: the baseline waits for a new one only then.
        self.control = None;
        let mut control = TcpStream::connect(self.address).map_err(system("reach the baseline"))?;
        control.set_nodelay(true).map_err(system("reach the baseline"))?;
        let mut head = Vec::new();
        for count in [connections, bytes.len()] {
            let count = u32::try_from(count).expect("bounded by what a process can open");
            head.extend_from_slice(&count.to_be_bytes());
        }
        head.extend_from_slice(bytes);
        control.write_all(&head).map_err(system("tell the baseline what to do"))?;
        let target = Target { address: self.address, tls: None, handshake: false };
        load.open_many(&target, connections, |_| Vec::new())?;
        self.control = Some(control);
        Ok(())
    }

    /// Lets it send once on each socket.
    pub(crate) fn begin_round(&mut self) -> Result<()> {
        let control = self.control.as_mut().expect("open() was called");
        control.write_all(&[0]).map_err(system("tell the baseline to go on"))
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
