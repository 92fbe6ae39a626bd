//! As much of HTTP/1.1 as the stubs and the floor need: read a whole message, write prepared bytes. Nothing is allocated but one buffer
//! for each connection.

use std::io::{self, Read, Write};
use std::ops::Range;

/// More headers than any contestant sends.
const MOST_HEADERS: usize = 64;
const FIRST_BUFFER: usize = 16 * 1024;

/// One connection, kept alive, with what was read of it and not yet used.
pub struct Connection<S> {
    stream: S,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that came from the peer.
    filled: usize,
    /// Bytes of them that belong to the message that was returned last.
    used: usize,
}

/// A request, in the buffer of its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whether it is a `HEAD`, whose response has no body.
    pub is_head: bool,
    /// Path and query.
    pub target: Range<usize>,
    /// The header `x-amz-target`, by which DynamoDB tells its operations apart.
    pub operation: Option<Range<usize>>,
    /// The body.
    pub body: Range<usize>,
}

/// A response, in the buffer of its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// The header `lambda-runtime-aws-request-id`.
    pub request_id: Option<Range<usize>>,
    /// The body.
    pub body: Range<usize>,
}

/// How the end of a body is found.
enum Framing {
    Length(usize),
    Chunked,
}

impl<S: Read + Write> Connection<S> {
    /// Over `stream`.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: vec![0; FIRST_BUFFER],
            filled: 0,
            used: 0,
        }
    }

    /// The bytes of a range of the message that was read last.
    pub fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.buffer.get(range.clone()).unwrap_or_default()
    }

    /// Writes prepared bytes in one go.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Waits for a request; `None` when the peer has closed the connection between two.
    ///
    /// # Errors
    /// The system's, `InvalidData` where it is no HTTP/1.1 and `UnexpectedEof` where it breaks off.
    pub fn next_request(&mut self) -> io::Result<Option<Request>> {
        self.forget_last();
        loop {
            if let Some((request, head, framing)) = self.parse_request()? {
                let body = self.body(head, framing)?;
                return Ok(Some(Request { body, ..request }));
            }
            if self.fill()? == 0 {
                return match self.filled {
                    0 => Ok(None),
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    /// Waits for a response.
    ///
    /// # Errors
    /// As [`Self::next_request`].
    pub fn next_response(&mut self) -> io::Result<Response> {
        self.forget_last();
        loop {
            if let Some((response, head, framing)) = self.parse_response()? {
                let body = self.body(head, framing)?;
                return Ok(Response { body, ..response });
            }
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn forget_last(&mut self) {
        self.buffer.copy_within(self.used..self.filled, 0);
        self.filled -= self.used;
        self.used = 0;
    }

    fn fill(&mut self) -> io::Result<usize> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let free = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let count = self.stream.read(free)?;
        self.filled += count;
        Ok(count)
    }

    fn parse_request(&self) -> io::Result<Option<(Request, usize, Framing)>> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut parsed = httparse::Request::new(&mut headers);
        let received = self.bytes(&(0..self.filled));
        let httparse::Status::Complete(head) = parsed.parse(received).map_err(invalid)? else {
            return Ok(None);
        };
        let target = parsed.path.unwrap_or_default().as_bytes();
        let operation = header(parsed.headers, "x-amz-target");
        let request = Request {
            is_head: parsed.method == Some("HEAD"),
            target: place(received, target),
            operation: operation.map(|value| place(received, value)),
            body: 0..0,
        };
        Ok(Some((request, head, framing(parsed.headers)?)))
    }

    fn parse_response(&self) -> io::Result<Option<(Response, usize, Framing)>> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut parsed = httparse::Response::new(&mut headers);
        let received = self.bytes(&(0..self.filled));
        let httparse::Status::Complete(head) = parsed.parse(received).map_err(invalid)? else {
            return Ok(None);
        };
        let request_id = header(parsed.headers, "lambda-runtime-aws-request-id");
        let response = Response {
            status: parsed.code.unwrap_or_default(),
            request_id: request_id.map(|value| place(received, value)),
            body: 0..0,
        };
        Ok(Some((response, head, framing(parsed.headers)?)))
    }

    /// Reads on until the body after `head` is whole; a chunked one is put together in place.
    fn body(&mut self, head: usize, framing: Framing) -> io::Result<Range<usize>> {
        match framing {
            Framing::Length(length) => {
                self.fill_to(head + length)?;
                self.used = head + length;
                Ok(head..head + length)
            }
            Framing::Chunked => {
                let (mut from, mut to) = (head, head);
                loop {
                    let (start, length) = loop {
                        let rest = self.bytes(&(from..self.filled));
                        match httparse::parse_chunk_size(rest) {
                            Ok(httparse::Status::Complete((start, length))) => {
                                break (from + start, usize::try_from(length).map_err(invalid)?);
                            }
                            Ok(httparse::Status::Partial) => self.fill_to(self.filled + 1)?,
                            Err(_) => return Err(io::ErrorKind::InvalidData.into()),
                        }
                    };
                    // The chunk and the line end after it.
                    self.fill_to(start + length + 2)?;
                    self.buffer.copy_within(start..start + length, to);
                    to += length;
                    from = start + length + 2;
                    if length == 0 {
                        self.used = from;
                        return Ok(head..to);
                    }
                }
            }
        }
    }

    fn fill_to(&mut self, length: usize) -> io::Result<()> {
        while self.filled < length {
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

fn header<'a>(headers: &[httparse::Header<'a>], name: &str) -> Option<&'a [u8]> {
    headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value)
}

fn framing(headers: &[httparse::Header<'_>]) -> io::Result<Framing> {
    if header(headers, "transfer-encoding").is_some() {
        return Ok(Framing::Chunked);
    }
    let Some(length) = header(headers, "content-length") else {
        return Ok(Framing::Length(0));
    };
    let length = std::str::from_utf8(length).map_err(invalid)?;
    Ok(Framing::Length(length.trim().parse().map_err(invalid)?))
}

/// Where `part` lies in `whole`, of which it is a part.
fn place(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr().addr()).saturating_sub(whole.as_ptr().addr());
    start..start + part.len()
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// A response whose length stands before its body, ready to be written.
pub fn prepared(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\n");
    for (name, value) in headers {
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push_str("\r\n");
    }
    text.push_str("Content-Length: ");
    text.push_str(&body.len().to_string());
    text.push_str("\r\n\r\n");
    [text.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives out what it holds in pieces of `piece` bytes.
    struct Pieces {
        bytes: Vec<u8>,
        at: usize,
        piece: usize,
    }

    impl Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.piece.min(into.len()).min(self.bytes.len() - self.at);
            into[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
            self.at += count;
            Ok(count)
        }
    }

    impl Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn connection(text: &str, piece: usize) -> Connection<Pieces> {
        let bytes = text.as_bytes().to_vec();
        Connection::new(Pieces {
            bytes,
            at: 0,
            piece,
        })
    }

    #[test]
    fn requests_are_found_whatever_pieces_they_come_in() {
        let text = "HEAD / HTTP/1.1\r\nhost: a\r\n\r\n\
            POST /gateway.do?method=b HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\nContent-Length: 4\r\n\r\nbody\
            POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n\
            GET /d HTTP/1.1\r\n\r\n";
        for piece in [1, 2, 7, 1000] {
            let mut connection = connection(text, piece);
            let first = connection.next_request().unwrap().unwrap();
            assert!(first.is_head);
            let second = connection.next_request().unwrap().unwrap();
            assert_eq!(connection.bytes(&second.target), b"/gateway.do?method=b");
            assert_eq!(
                connection.bytes(second.operation.as_ref().unwrap()),
                b"DynamoDB_20120810.PutItem"
            );
            assert_eq!(connection.bytes(&second.body), b"body");
            let third = connection.next_request().unwrap().unwrap();
            assert_eq!(connection.bytes(&third.body), b"abcde");
            let fourth = connection.next_request().unwrap().unwrap();
            assert_eq!(connection.bytes(&fourth.target), b"/d");
            assert_eq!(connection.next_request().unwrap(), None);
        }
    }

    #[test]
    fn what_was_prepared_is_read_again() {
        let bytes = prepared("200 OK", &[("Lambda-Runtime-Aws-Request-Id", "id")], b"{}");
        let mut connection = connection(std::str::from_utf8(&bytes).unwrap(), 3);
        let response = connection.next_response().unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(connection.bytes(&response.request_id.unwrap()), b"id");
        assert_eq!(connection.bytes(&response.body), b"{}");
    }

    #[test]
    fn a_request_that_breaks_off_is_an_error() {
        let mut connection = connection("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nbody", 5);
        let error = connection.next_request().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
