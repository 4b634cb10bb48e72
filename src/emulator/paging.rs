//! Pages of a list: `pageSize` and `pageToken` in, a page and `nextPageToken` out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::ErrorResponse;
use super::request::Request;

/// The page of `items` that the request asks for, and the token of the next one if there is one.
///
/// `usual` is the page's length when the request names none, `most` the length it cannot exceed.
/// A token is opaque and has characters that must be escaped in a URL, as Google's have.
///
/// # Errors
/// 400 for a token that no list gave out and for a negative size.
pub fn page<T>(
    items: Vec<T>,
    request: &Request,
    usual: usize,
    most: usize,
) -> Result<(Vec<T>, Option<String>), ErrorResponse> {
    let size = match request.query("pageSize") {
        None | Some("0") => usual,
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| ErrorResponse::bad_request("Invalid page size."))?
            .min(most),
    };
    let from = match request.query("pageToken") {
        None | Some("") => 0,
        Some(token) => {
            read(token).ok_or_else(|| ErrorResponse::bad_request("Invalid page token."))?
        }
    };
    let total = items.len();
    let page: Vec<T> = items.into_iter().skip(from).take(size).collect();
    let next = from + page.len();
    Ok((page, (next < total).then(|| write(next))))
}

/// One byte more than fits without padding, so that the token ends in `=`.
fn write(from: usize) -> String {
    STANDARD.encode(format!("{from:07}"))
}

fn read(token: &str) -> Option<usize> {
    let bytes = STANDARD.decode(token).ok()?;
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(size: &str, token: &str) -> Result<(Vec<u32>, Option<String>), ErrorResponse> {
        let query = [("pageSize", size), ("pageToken", token)]
            .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]));
        let request = Request {
            query: query.into(),
            ..Request::default()
        };
        page((0..5).collect(), &request, 3, 4)
    }

    #[test]
    fn pages_follow_one_another_until_the_end() {
        let (first, token) = ask("2", "").unwrap();
        let token = token.unwrap();
        assert!(token.ends_with('='));
        let (second, after) = ask("2", &token).unwrap();
        let (last, end) = ask("2", &after.unwrap()).unwrap();
        assert_eq!(
            (first, second, last, end),
            (vec![0, 1], vec![2, 3], vec![4], None)
        );
    }

    #[test]
    fn sizes_have_a_default_and_a_limit() {
        assert_eq!(ask("0", "").unwrap().0.len(), 3);
        assert_eq!(ask("100", "").unwrap().0.len(), 4);
        assert!(ask("-1", "").is_err());
        assert!(ask("1", "nonsense").is_err());
    }
}
