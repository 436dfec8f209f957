//! A line that says GOAWAY between two frames of HTTP/2 (RFC 9113, section 6.8) and closes the connection.

use std::io::Result;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::TcpStream;

/// The frame: a length of 8, type 7, no flags, stream 0; no stream was handled, and there was no error.
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Carries frames until `strikes` says that it is enough.
pub(crate) async fn carry(
    mut near: TcpStream,
    mut far: TcpStream,
    strikes: impl Fn() -> bool,
) -> Result<()> {
    let (mut near_in, mut near_out) = near.split();
    let (mut far_in, mut far_out) = far.split();
    let down = async {
        loop {
            let mut head = [0; 9];
            far_in.read_exact(&mut head).await?;
            if strikes() {
                near_out.write_all(&GOAWAY).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
                return Ok(());
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut frame = vec![0; length];
            far_in.read_exact(&mut frame).await?;
            near_out.write_all(&head).await?;
            near_out.write_all(&frame).await?;
        }
    };
    tokio::select! {
        ended = down => ended,
        ended = copy(&mut near_in, &mut far_out) => ended.map(drop),
    }
}
