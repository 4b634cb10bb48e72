//! A TCP relay before the API server: one that is slow, and one that is away from time to time.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::Result;

/// What the relay does to connections.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Settings {
    /// Where to listen.
    #[arg(long)]
    pub listen: SocketAddr,
    /// Where connections lead to.
    #[arg(long)]
    pub to: SocketAddr,
    /// How many milliseconds each piece of an answer takes.
    #[arg(long, default_value_t = 0)]
    pub delay: u64,
    /// For how many milliseconds at a time it lets connections through; always, if 0.
    #[arg(long, default_value_t = 0)]
    pub up: u64,
    /// For how many milliseconds after that it breaks them and refuses new ones.
    #[arg(long, default_value_t = 0)]
    pub down: u64,
}

impl Settings {
    /// How long it is still up at a time since its start; none where it is down.
    fn is_up(&self, since: Duration) -> Option<Duration> {
        if self.up == 0 {
            return Some(Duration::MAX);
        }
        let cycle = u128::from(self.up + self.down);
        let at = since.as_millis() % cycle;
        u64::try_from(at)
            .ok()
            .and_then(|at| self.up.checked_sub(at))
            .filter(|left| *left > 0)
            .map(Duration::from_millis)
    }
}

/// Serves until it is killed.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(settings: Settings) -> Result<()> {
    let listener = TcpListener::bind(settings.listen).await?;
    let start = Instant::now();
    loop {
        let (client, _) = listener.accept().await?;
        // A connection that is dropped here is reset or closed: what a server that went away looks like.
        let Some(left) = settings.is_up(start.elapsed()) else {
            continue;
        };
        tokio::spawn(async move {
            let _ = tokio::time::timeout(
                left.min(Duration::from_secs(86_400)),
                connect(client, settings),
            )
            .await;
        });
    }
}

async fn connect(client: TcpStream, settings: Settings) -> std::io::Result<()> {
    let server = TcpStream::connect(settings.to).await?;
    let (client_reads, client_writes) = client.into_split();
    let (server_reads, server_writes) = server.into_split();
    let delay = Duration::from_millis(settings.delay);
    tokio::try_join!(
        copy(client_reads, server_writes, Duration::ZERO),
        copy(server_reads, client_writes, delay)
    )?;
    Ok(())
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: Duration,
) -> std::io::Result<()> {
    let mut piece = vec![0_u8; 64 << 10];
    loop {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        // The delay is what this relay is for.
        tokio::time::sleep(delay).await;
        to.write_all(&piece[..read]).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_that_flaps_is_up_and_down_in_turn() {
        let address = "127.0.0.1:1".parse().unwrap();
        let flapping = Settings {
            listen: address,
            to: address,
            delay: 0,
            up: 300,
            down: 200,
        };
        for (at, expected) in [
            (0, Some(300)),
            (299, Some(1)),
            (300, None),
            (499, None),
            (500, Some(300)),
        ] {
            assert_eq!(
                flapping.is_up(Duration::from_millis(at)),
                expected.map(Duration::from_millis),
                "{at}"
            );
        }
        assert_eq!(
            Settings { up: 0, ..flapping }.is_up(Duration::from_secs(9)),
            Some(Duration::MAX)
        );
    }
}
