//! Answers a request: by the component that its path leads to, or by a page of this server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Response, StatusCode, Uri};
use rules::manifest::LogLevel;
use runtime::{Failure, Patient};

use super::app::App;
use super::body::{Injected, ResponseBody};
use super::inject::{self, Injector};
use super::respond::{self, Kind};
use super::{events, own};
use crate::front::{Message, RequestLine};
use crate::page;
use crate::route;
use crate::site::{Served, Site, Target, is_safe, short};

/// The time for which a client may send nothing of a body that it has announced.
const PATIENCE: Duration = Duration::from_secs(15);

/// The number of bytes of a path that are remembered and shown.
const LONGEST_PATH: usize = 300;

/// An answer, with the facts about it for the log.
struct Answered {
    response: Response<ResponseBody>,
    by: Option<Arc<Served>>,
    failure: Option<String>,
}

impl App {
    /// Answers a request.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> Response<ResponseBody> {
        let began = Instant::now();
        let (parts, body) = request.into_parts();
        if route::is_own(parts.uri.path()) {
            return own::answer(self, &parts.method, &parts.uri, &parts.headers);
        }
        let method = parts.method.clone();
        let path = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
        let site = self.site.load_full();
        let asked = parts.uri.path().to_owned();
        let Answered { mut response, by, failure } = match site.routes.find(&asked) {
            Some((route, Target::Serving(served), rest)) => {
                let mut parts = passed_on(parts, route, rest);
                if self.knobs.is_live() && is_safe(&method) && respond::wants_page(&parts.headers) {
                    // A compressed page can't get the script. One that is compressed nevertheless stays as it is.
                    parts.headers.remove(ACCEPT_ENCODING);
                }
                self.ask(&site, served, parts, body).await
            }
            Some((_, Target::Missing { component }, _)) => {
                self.unavailable(&site, &parts, component)
            }
            None => self.nowhere(&site, &parts),
        };
        if let Some(reason) = self.stale() {
            respond::set(response.headers_mut(), "x-run-stale", reason);
        }
        self.log(RequestLine {
            method: method.to_string(),
            path: self.front.mask(&cut(path)),
            status: response.status().as_u16(),
            took: began.elapsed(),
            component: by.as_ref().map(|served| served.component.clone()),
            version: by.as_ref().map(|served| short(&served.digest)),
            failure,
        });
        response
    }

    /// Has a component answer.
    async fn ask(
        &self,
        site: &Site,
        served: &Arc<Served>,
        parts: Parts,
        body: Incoming,
    ) -> Answered {
        let (method, wants_page) = (parts.method.clone(), respond::wants_page(&parts.headers));
        let request = Request::from_parts(parts, Patient::new(body, PATIENCE));
        let answer = served.handler.answer(request).await;
        served.log.flush();
        let mut response = match &answer.failure {
            Some(failure) if wants_page && is_safe(&method) => {
                let script = self.script(site, &[]);
                let [happened, said] = [
                    // The standard error is shown apart.
                    Failure { stderr: String::new(), ..failure.clone() }.to_string(),
                    failure.stderr.clone(),
                ]
                .map(|text| self.front.mask(&text));
                let html = page::failed(&served.component, &happened, &said, &script);
                respond::text(answer.response.status(), Kind::Html, html)
            }
            _ => answer.response.map(|body| body.map_err(Into::into).boxed_unsync()),
        };
        let failure = answer.failure.map(|failure| self.front.mask(&failure.to_string()));
        let is_page = inject::is_page(&method, response.status(), response.headers());
        if is_page && failure.is_none() && self.knobs.is_live() {
            inject::correct(response.headers_mut());
            let injector = Injector::new(inject::element(&site.version));
            response = response.map(|body| Injected::new(body, injector).boxed_unsync());
        }
        let headers = response.headers_mut();
        respond::set(headers, "x-run-component", &served.component);
        respond::set(headers, "x-run-version", &short(&served.digest));
        Answered { response, by: Some(Arc::clone(served)), failure }
    }

    /// Answers in place of a component that can't be served yet.
    fn unavailable(&self, site: &Site, parts: &Parts, component: &str) -> Answered {
        let news = self.board.read();
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let mut response = if respond::wants_page(&parts.headers) {
            let id = events::id(&news.complaints);
            let script = self.script(site, &[("problems", &id)]);
            respond::text(status, Kind::Html, page::unavailable(&news, &script))
        } else {
            let complaints = news.complaints.iter().map(|it| engine::plain(&it.text));
            let why: String = complaints.collect();
            let text = format!("{component} is not served, because it was not built yet\n{why}");
            respond::text(status, Kind::Text, text)
        };
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        Answered { response, by: None, failure: None }
    }

    /// Answers a request for a path that belongs to no component.
    fn nowhere(&self, site: &Site, parts: &Parts) -> Answered {
        let news = self.board.read();
        let is_empty = site.routes.iter().next().is_none();
        let path = parts.uri.path();
        let script = self.script(site, &[("problems", &events::id(&news.complaints))]);
        let response = match (respond::wants_page(&parts.headers), path) {
            _ if is_empty => return self.unavailable(site, parts, "the project"),
            (true, "/") => respond::text(StatusCode::OK, Kind::Html, page::index(&news, &script)),
            (true, _) => {
                let html = page::no_route(&news, path, &script);
                respond::text(StatusCode::NOT_FOUND, Kind::Html, html)
            }
            (false, _) => {
                let routes = site.routes.iter().map(|(route, _)| format!("    {route}\n"));
                let routes: String = routes.collect();
                let status = if path == "/" { StatusCode::OK } else { StatusCode::NOT_FOUND };
                let text = format!("no component has a route for this path; there are:\n{routes}");
                respond::text(status, Kind::Text, text)
            }
        };
        Answered { response, by: None, failure: None }
    }

    /// Returns the element with the script for a page of this server; nothing if pages are not kept up to date.
    fn script(&self, site: &Site, data: &[(&str, &str)]) -> String {
        if !self.knobs.is_live() {
            return String::new();
        }
        inject::element_with(&site.version, data)
    }

    /// Returns the reason why what is served is not what the sources say, if it is not.
    fn stale(&self) -> Option<&'static str> {
        self.board.look(|news| match () {
            () if !news.complaints.is_empty() => Some("build failed"),
            () if !news.behind.is_empty() => Some("restart to serve the last build"),
            () => None,
        })
    }

    fn log(&self, line: RequestLine) {
        let needed = if line.status >= 500 { LogLevel::Error } else { LogLevel::Info };
        if needed <= self.knobs.level() {
            self.front.tell(&Message::Request(&line));
        }
        self.board.change(|news| news.add_request(line));
    }
}

/// Returns the head of a request as the component gets it: the path without the route, and the route in a header.
fn passed_on(mut parts: Parts, route: &str, rest: &str) -> Parts {
    if route == "/" {
        return parts;
    }
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = format!("{rest}{query}");
    let mut uri = parts.uri.clone().into_parts();
    uri.path_and_query = PathAndQuery::try_from(path).ok();
    if let Ok(uri) = Uri::from_parts(uri) {
        parts.uri = uri;
    }
    forwarded(&mut parts.headers, route);
    parts
}

fn forwarded(headers: &mut HeaderMap, route: &str) {
    headers.remove("x-forwarded-prefix");
    respond::set(headers, "x-forwarded-prefix", route);
}

fn cut(mut path: String) -> String {
    if path.len() > LONGEST_PATH {
        let end = (0..=LONGEST_PATH).rev().find(|at| path.is_char_boundary(*at)).unwrap_or(0);
        path.truncate(end);
        path.push('…');
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(route: &str, asked: &str, rest: &str, expect: &str) {
        let (parts, ()) = Request::get(asked).body(()).unwrap().into_parts();
        let passed = passed_on(parts, route, rest);
        assert_eq!(passed.uri.to_string(), expect);
        let prefix = passed.headers.get("x-forwarded-prefix").map(|it| it.to_str().unwrap());
        assert_eq!(prefix, (route != "/").then_some(route));
    }

    #[test]
    fn a_component_sees_no_route() {
        check("/", "/a?b", "/a?b", "/a?b");
        check("/api", "/api", "/", "/");
        check("/api", "/api?x=1", "/", "/?x=1");
        check("/api", "/api/a%20b/?x", "/a%20b/", "/a%20b/?x");
        check("/api", "http://h/api/x", "/x", "http://h/x");
    }

    #[test]
    fn long_paths_are_cut() {
        assert_eq!(cut("/a".to_owned()), "/a");
        assert_eq!(cut("é".repeat(1000)).chars().count(), LONGEST_PATH / 2 + 1);
    }
}
