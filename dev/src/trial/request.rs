//! Tests a component that handles HTTP requests: sends one, and compares the response.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::HOST;
use hyper::{HeaderMap, Response};
use runtime::ResponseBody;

use super::spec::Request;
use super::subject::Subject;
use super::verdict::{Fault, part, whole};

/// The number of bytes that the body of a response may have.
const BODY: usize = 8 << 20;

pub(super) async fn test(asked: &Request, subject: &Subject<'_>) -> Vec<Fault> {
    let handler = match subject.loaded.handler() {
        Ok(handler) => handler,
        Err(error) => return vec![Fault::new("component", error.to_string())],
    };
    let request = match request(asked) {
        Ok(request) => request,
        Err(error) => return vec![Fault::new("request", error.to_string())],
    };
    let answer = handler.answer(request).await;
    if let Some(failure) = &answer.failure {
        return vec![subject.failed(failure)];
    }
    compare(asked, answer.response).await
}

fn request(asked: &Request) -> Result<hyper::Request<Full<Bytes>>, hyper::http::Error> {
    let mut request = hyper::Request::builder().method(&*asked.method).uri(&*asked.path);
    if !asked.headers.iter().any(|(name, _)| name == HOST.as_str()) {
        request = request.header(HOST, "localhost");
    }
    for (name, value) in &asked.headers {
        request = request.header(name, value);
    }
    request.body(Full::new(Bytes::from(asked.body.clone())))
}

async fn compare(asked: &Request, response: Response<ResponseBody>) -> Vec<Fault> {
    let (head, body) = response.into_parts();
    let body = match Limited::new(body, BODY).collect().await {
        Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        Err(error) => return vec![Fault::new("request", format!("its body broke off: {error}"))],
    };
    let mut faults = Vec::new();
    let status = head.status.as_u16();
    if status != asked.expect_status {
        faults.push(Fault {
            expected: Some(asked.expect_status.to_string()),
            actual: Some(status.to_string()),
            details: (!body.is_empty()).then(|| format!("body:\n{body}")),
            ..Fault::new("expect_status", "the status is another one")
        });
    }
    faults
        .extend(asked.expect_headers.iter().filter_map(|expected| header(&head.headers, expected)));
    faults.extend(whole("expect", "the body", asked.expect.as_deref(), &body));
    faults.extend(part("expect_contains", "the body", asked.expect_contains.as_deref(), &body));
    faults
}

fn header(headers: &HeaderMap, (name, expected): &(String, String)) -> Option<Fault> {
    let values = headers.get_all(name).into_iter();
    let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let fault = |message: String, actual: Option<String>| Fault {
        expected: Some(expected.clone()),
        actual,
        ..Fault::new("expect_headers", message)
    };
    match values.join(", ") {
        _ if values.is_empty() => Some(fault(format!("there is no header `{name}`"), None)),
        actual if actual == *expected => None,
        actual => Some(fault(format!("header `{name}` has another value"), Some(actual))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_compared_by_name_and_value() {
        let mut headers = HeaderMap::new();
        headers.insert("x-one", "1".parse().unwrap());
        headers.append("x-two", "a".parse().unwrap());
        headers.append("x-two", "b".parse().unwrap());
        let check = |name: &str, value: &str| {
            header(&headers, &(name.to_owned(), value.to_owned())).map(|fault| fault.message)
        };
        assert_eq!(check("x-one", "1"), None);
        assert_eq!(check("x-two", "a, b"), None);
        assert_eq!(check("x-one", "2").as_deref(), Some("header `x-one` has another value"));
        assert_eq!(check("x-none", "2").as_deref(), Some("there is no header `x-none`"));
    }
}
