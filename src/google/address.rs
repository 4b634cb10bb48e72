//! The address under which the internet sees this machine, found as the tutorial finds it: a TXT query for
//! `o-o.myaddr.l.google.com` to one of Google's name servers, which answers with the address that asked.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, RecordType};
use thiserror::Error;
use tokio::net::UdpSocket;
use tokio::time::timeout;

const SERVER: (&str, u16) = ("ns1.google.com", 53);
const NAME: &str = "o-o.myaddr.l.google.com.";
const TRIES: u32 = 3;
const TRY: Duration = Duration::from_secs(3);

/// Why the address is not known.
#[derive(Debug, Error)]
#[error("cannot find this machine's public address: {why}; give it with --authorized-network CIDR")]
pub struct AddressError {
    why: String,
}

/// Asks for it. Takes 9 seconds at most after the name server itself is resolved.
pub async fn public() -> Result<Ipv4Addr, AddressError> {
    let failed = |why: String| AddressError { why };
    // Over IPv6 the server would answer with an IPv6 address, which the cluster's allow list does not take.
    let resolved = timeout(TRY, tokio::net::lookup_host(SERVER)).await;
    let server = resolved
        .map_err(|_| {
            failed(format!(
                "{} did not resolve within {} s",
                SERVER.0,
                TRY.as_secs()
            ))
        })?
        .map_err(|e| failed(format!("{} does not resolve: {e}", SERVER.0)))?
        .find(SocketAddr::is_ipv4)
        .ok_or_else(|| failed(format!("{} has no IPv4 address", SERVER.0)))?;
    let mut last = String::new();
    for _ in 0..TRIES {
        match timeout(TRY, ask(server)).await {
            Ok(Ok(address)) => return Ok(address),
            Ok(Err(why)) => last = why,
            Err(_) => {
                last = format!(
                    "{} ({server}) did not answer within {} s",
                    SERVER.0,
                    TRY.as_secs()
                )
            }
        }
    }
    Err(failed(last))
}

/// One question to one server.
async fn ask(server: SocketAddr) -> Result<Ipv4Addr, String> {
    let name = Name::from_ascii(NAME).map_err(|e| e.to_string())?;
    let mut question = Message::query();
    question.add_query(Query::query(name, RecordType::TXT));
    let id = question.metadata.id;
    let packet = question.to_vec().map_err(|e| e.to_string())?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .await
        .map_err(|e| e.to_string())?;
    // A connected socket takes packets from this server only.
    socket.connect(server).await.map_err(|e| e.to_string())?;
    socket.send(&packet).await.map_err(|e| e.to_string())?;
    let mut buffer = [0; 1500];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(|e| e.to_string())?;
        match Message::from_vec(&buffer[..length]) {
            Ok(answer) if answer.metadata.id == id => return read(&answer),
            // Somebody else's, or noise: the answer may still come.
            _ => {}
        }
    }
}

/// The first TXT record that is an address; a resolver in between adds one that names its client subnet.
fn read(answer: &Message) -> Result<Ipv4Addr, String> {
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
            true => format!(
                "{} answered {} without a text",
                SERVER.0, answer.metadata.response_code
            ),
            false => format!("{} answered {texts:?}, which is no IPv4 address", SERVER.0),
        })
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::OpCode;
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::TXT;

    use super::*;

    /// A name server for one question, which answers with `texts` after a packet of noise and a stale answer.
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
        assert_eq!(ask(address).await, Ok(Ipv4Addr::new(203, 0, 113, 99)));
        assert!(
            ask(server(&[]).await)
                .await
                .unwrap_err()
                .contains("without a text")
        );
        assert!(
            ask(server(&["2001:db8::1"]).await)
                .await
                .unwrap_err()
                .contains("no IPv4 address")
        );
    }

    #[test]
    fn a_failure_names_the_way_out() {
        let error = AddressError {
            why: "no network".into(),
        };
        assert!(error.to_string().contains("--authorized-network"));
    }
}
