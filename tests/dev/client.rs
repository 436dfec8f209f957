//! A small client of HTTP/1.1 that shows everything of an answer. One that tries again would hide lost requests.

use std::io::{self, Read, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The headers, with names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Asks for a path on a connection of its own.
#[track_caller]
pub(crate) fn get(address: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    ask(address, "GET", path, headers, b"").unwrap()
}

/// Makes a request on a connection of its own.
pub(crate) fn ask(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let mut connection = Connection::open(address)?;
    connection.ask(method, path, headers, body)
}

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    address: String,
    /// The bytes that were read and not used yet.
    read: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, address: address.to_owned(), read: Vec::new() })
    }

    /// Makes a request, and reads the whole answer.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            head += &format!("host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            head += &format!("content-length: {}\r\n", body.len());
        }
        self.stream.write_all(format!("{head}\r\n").as_bytes())?;
        self.stream.write_all(body)?;
        let (status, headers) = self.head()?;
        let header =
            |name: &str| headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.clone());
        let has_body = method != "HEAD" && status != 204 && status != 304;
        let body = match (header("content-length"), header("transfer-encoding")) {
            _ if !has_body => Vec::new(),
            (Some(length), _) => self.take(length.parse().map_err(io::Error::other)?)?,
            (None, Some(_)) => self.chunks()?,
            (None, None) => {
                self.stream.read_to_end(&mut self.read)?;
                std::mem::take(&mut self.read)
            }
        };
        Ok(Answer { status, headers, body })
    }

    /// Makes a request whose answer has no end, and reads its head.
    pub(crate) fn listen(&mut self, path: &str) -> io::Result<()> {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        self.stream.write_all(head.as_bytes())?;
        let (status, _) = self.head()?;
        if status == 200 { Ok(()) } else { Err(io::Error::other(format!("it answers {status}"))) }
    }

    /// Reads the head of an answer.
    fn head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let head = self.until(b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.lines();
        let first = lines.next().unwrap_or_default();
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no answer: {first:?}")))?;
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Ok((status, headers.collect()))
    }

    /// Reads one chunk of a body in chunks. The last one is empty.
    pub(crate) fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let line = self.until(b"\r\n")?;
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        let length = usize::from_str_radix(&line, 16).map_err(io::Error::other)?;
        let chunk = self.take(length)?;
        self.until(b"\r\n")?;
        Ok(chunk)
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Ok(body);
            }
            body.extend(chunk);
        }
    }

    fn until(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                return Ok(self.read.drain(..at + end.len()).collect());
            }
            self.more()?;
        }
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.read.len() < length {
            self.more()?;
        }
        Ok(self.read.drain(..length).collect())
    }

    fn more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.read.extend_from_slice(&buffer[..count]);
                Ok(())
            }
        }
    }
}
