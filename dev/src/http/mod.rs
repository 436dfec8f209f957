//! The server: it accepts connections, finds the component for a request, and passes the response on.

mod answer;
mod app;
mod body;
mod events;
mod inject;
mod own;
mod own_host;
mod respond;
mod serve;

pub(crate) use app::App;
pub(crate) use serve::serve;
