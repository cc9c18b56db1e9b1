//! The address of the throw-away cluster, in the form that the tests' driver reads.

use std::fmt::Write as _;
use std::path::Path;

/// A server on a socket in `folder`. The driver takes the folder from the query; the host before it
/// only completes the form. The port is part of the socket's name, and naming it keeps a PGPORT in
/// the environment out of it.
pub(super) fn socket(folder: &Path, user: &str, port: u16) -> String {
    let folder = percent_encode(folder.as_os_str().as_encoded_bytes());
    format!("postgres://{user}@localhost:{port}/postgres?host={folder}")
}

/// A server on a TCP port of this machine.
pub(super) fn tcp(user: &str, port: u16) -> String {
    format!("postgres://{user}@127.0.0.1:{port}/postgres")
}

/// Leaves the unreserved characters of RFC 3986 as they are, and writes every other byte as `%XX`.
fn percent_encode(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_what_a_query_would_read_otherwise() {
        let cases = [
            ("", ""),
            ("/tmp/tenantry-pg-17", "%2Ftmp%2Ftenantry-pg-17"),
            ("a b&c=d?e#f%2F+", "a%20b%26c%3Dd%3Fe%23f%252F%2B"),
            ("-._~09AZaz", "-._~09AZaz"),
            ("/tmp/ü", "%2Ftmp%2F%C3%BC"),
        ];
        for (plain, encoded) in cases {
            assert_eq!(percent_encode(plain.as_bytes()), encoded, "{plain}");
        }
    }

    #[test]
    fn addresses_are_complete() {
        assert_eq!(socket(Path::new("/tmp/x"), "tenantry", 5432), "postgres://tenantry@localhost:5432/postgres?host=%2Ftmp%2Fx");
        assert_eq!(tcp("tenantry", 6543), "postgres://tenantry@127.0.0.1:6543/postgres");
    }
}
