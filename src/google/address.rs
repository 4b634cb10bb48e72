//! This machine's public address, found as in the tutorial: a TXT query for `o-o.myaddr.l.google.com` to one of
//! Google's name servers, which answers with the address of the sender.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::ProtoError;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use thiserror::Error;
use tokio::net::UdpSocket;
use tokio::time::timeout;

const SERVER: (&str, u16) = ("ns1.google.com", 53);
const NAME: &str = "o-o.myaddr.l.google.com.";
const TRIES: u32 = 2;
const TRY: Duration = Duration::from_secs(3);

/// Why the address is not known.
#[derive(Debug, Error)]
#[error("cannot find this machine's public address: {0}; give it with --authorized-network CIDR")]
pub struct AddressError(#[from] QueryError);

/// Why the name server returned no address.
#[derive(Debug, Error)]
enum QueryError {
    /// The server's own name was not resolved in time.
    #[error("{} did not resolve within {} s", SERVER.0, TRY.as_secs())]
    SlowResolver,
    /// The server's own name does not resolve.
    #[error("{} does not resolve: {source}", SERVER.0)]
    Resolve {
        /// The resolver's error.
        source: io::Error,
    },
    /// The server has only IPv6 addresses.
    #[error("{} has no IPv4 address", SERVER.0)]
    NoIpv4,
    /// The server does not answer.
    #[error("{} ({server}) did not answer within {} s", SERVER.0, TRY.as_secs())]
    NoAnswer {
        /// The address of the server.
        server: SocketAddr,
    },
    /// The query could not be sent, or the answer could not be received.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The query could not be encoded.
    #[error(transparent)]
    Protocol(#[from] ProtoError),
    /// The answer has no TXT record.
    #[error("{} answered {code} without text", SERVER.0)]
    NoText {
        /// The response code.
        code: ResponseCode,
    },
    /// None of the TXT records is an address.
    #[error("{} answered {texts:?}, which is not an IPv4 address", SERVER.0)]
    NoAddress {
        /// The texts of the records.
        texts: Vec<String>,
    },
}

/// Queries the address, which takes 9 seconds at most.
pub async fn public() -> Result<Ipv4Addr, AddressError> {
    // Over IPv6 the server would answer with an IPv6 address, which the cluster's allow list does not accept.
    let resolved = timeout(TRY, tokio::net::lookup_host(SERVER)).await;
    let server = resolved
        .map_err(|_| QueryError::SlowResolver)?
        .map_err(|source| QueryError::Resolve { source })?
        .find(SocketAddr::is_ipv4)
        .ok_or(QueryError::NoIpv4)?;
    let mut last = QueryError::NoAnswer { server };
    for _ in 0..TRIES {
        match timeout(TRY, ask(server)).await {
            Ok(Ok(address)) => return Ok(address),
            Ok(Err(error)) => last = error,
            Err(_) => last = QueryError::NoAnswer { server },
        }
    }
    Err(last.into())
}

/// Sends one query to one server.
async fn ask(server: SocketAddr) -> Result<Ipv4Addr, QueryError> {
    let name = Name::from_ascii(NAME)?;
    let mut question = Message::query();
    question.add_query(Query::query(name, RecordType::TXT));
    let id = question.metadata.id;
    let packet = question.to_vec()?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    // A connected socket receives packets only from this server.
    socket.connect(server).await?;
    socket.send(&packet).await?;
    let mut buffer = [0; 1500];
    loop {
        let length = socket.recv(&mut buffer).await?;
        match Message::from_vec(&buffer[..length]) {
            Ok(answer) if answer.metadata.id == id => return read(&answer),
            // The answer to another query, or noise: the real answer may still arrive.
            _ => {}
        }
    }
}

/// The first TXT record that is an address; a resolver on the path adds a record that names its client subnet.
fn read(answer: &Message) -> Result<Ipv4Addr, QueryError> {
    let texts: Vec<String> = answer
        .answers
        .iter()
        .filter_map(|record| match &record.data {
            RData::TXT(text) => Some(
                text.txt_data
                    .iter()
                    .map(|part| String::from_utf8_lossy(part))
                    .collect(),
            ),
            _ => None,
        })
        .collect();
    texts
        .iter()
        .find_map(|text| text.parse().ok())
        .ok_or_else(|| match texts.is_empty() {
            true => QueryError::NoText {
                code: answer.metadata.response_code,
            },
            false => QueryError::NoAddress {
                texts: texts.clone(),
            },
        })
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::OpCode;
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::TXT;

    use super::*;

    /// A name server for one query. It answers with `texts` after a packet of noise and a stale answer.
    async fn server(texts: &'static [&'static str]) -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let question = Message::from_vec(&buffer[..length]).unwrap();
            assert_eq!(question.queries[0].name().to_string(), NAME);
            assert_eq!(question.queries[0].query_type(), RecordType::TXT);
            let mut answer = Message::response(question.metadata.id, OpCode::Query);
            for text in texts {
                let data = RData::TXT(TXT::new(vec![(*text).to_owned()]));
                answer.add_answer(Record::from_rdata(
                    Name::from_ascii(NAME).unwrap(),
                    60,
                    data,
                ));
            }
            let stale = Message::response(question.metadata.id.wrapping_add(1), OpCode::Query);
            for packet in [
                b"noise".to_vec(),
                stale.to_vec().unwrap(),
                answer.to_vec().unwrap(),
            ] {
                socket.send_to(&packet, from).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn the_server_says_who_asked() {
        let address = server(&["edns0-client-subnet 198.51.100.0/24", "203.0.113.99"]).await;
        let found = ask(address).await.unwrap();
        assert_eq!(found, Ipv4Addr::new(203, 0, 113, 99));
        for (texts, expected) in [
            (&[][..], "without text"),
            (&["2001:db8::1"], "not an IPv4 address"),
        ] {
            let error = ask(server(texts).await).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_failure_names_the_way_out() {
        let error = AddressError::from(QueryError::NoIpv4);
        assert!(error.to_string().contains("--authorized-network"));
        assert!(std::error::Error::source(&error).is_some());
    }
}
