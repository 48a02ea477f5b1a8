//! Listening sockets: one per worker on the same address, shared by `SO_REUSEPORT`.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::BindError;

/// Opens `count` listening sockets on `listen`; with port 0 all get the port that the first got.
pub(crate) fn open(
    listen: SocketAddr,
    backlog: u32,
    count: NonZeroUsize,
) -> Result<Vec<TcpListener>, BindError> {
    let share = count.get() > 1;
    let failed = |source| BindError::from_io(listen, source);
    if share && listen.port() != 0 {
        claim(listen).map_err(failed)?;
    }
    let first = listener(listen, backlog, share).map_err(failed)?;
    let address = first.local_addr().map_err(failed)?;
    let mut sockets = vec![first];
    for _ in 1..count.get() {
        sockets.push(listener(address, backlog, share).map_err(failed)?);
    }
    Ok(sockets)
}

fn listener(address: SocketAddr, backlog: u32, share: bool) -> io::Result<TcpListener> {
    let socket = unbound(address)?;
    if share {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Fails when somebody listens on `address`.
///
/// Two processes that both set `SO_REUSEPORT` share a port without an error, and a server started
/// twice by mistake would take half of the connections. A socket without that option cannot.
fn claim(address: SocketAddr) -> io::Result<()> {
    unbound(address)?.bind(&address.into())
}

fn unbound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart need not wait until the old connections have left TIME-WAIT.
    socket.set_reuse_address(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: NonZeroUsize = NonZeroUsize::new(3).unwrap();

    #[test]
    fn siblings_share_the_port_that_the_system_chose() {
        let sockets = open(([127, 0, 0, 1], 0).into(), 16, THREE).unwrap();
        let ports: Vec<u16> =
            sockets.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
        assert_eq!(ports.len(), 3);
        assert!(ports[0] != 0 && ports.iter().all(|port| *port == ports[0]));
    }

    #[test]
    fn a_second_server_does_not_share_the_port_silently() {
        let sockets = open(([127, 0, 0, 1], 0).into(), 16, THREE).unwrap();
        let taken = sockets[0].local_addr().unwrap();
        for count in [NonZeroUsize::MIN, THREE] {
            let error = open(taken, 16, count).unwrap_err();
            assert!(matches!(error, BindError::InUse { listen, .. } if listen == taken));
        }
    }
}
