//! `run dev`: builds the project, serves it, and does so again after every edit.

mod front;
mod say;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::process::ExitCode;
use std::sync::Arc;

use dev::{ServeError, Server, Settings};
use project::Project;
use sandbox::Isolation;
use serde_json::json;

use self::front::Front;
use super::{given, start};
use crate::arguments::Dev as Arguments;
use crate::command_error::{CommandError, Kind};
use crate::config::Config;
use crate::signals;
use crate::ui;

/// Runs `run dev`.
pub(crate) fn run(arguments: &Arguments, config: &Config) -> Result<ExitCode, CommandError> {
    let cancel = signals::cancel_on_signal()?;
    let isolation = Isolation::from(arguments.sandbox);
    start::warn_of(config, isolation);
    let folder = Project::find(&config.directory)?;
    let project = start::project_in(config, folder.clone())?;
    // A name that is wrong now is a mistake on this command line, and not an edit that goes on.
    start::selection(&project, &arguments.what.names)?;
    let port = arguments.port.unwrap_or(project.manifest.dev.port.value);
    let (address, own_host) = address(&arguments.host, port)?;
    if !address.ip().is_loopback() {
        config.printer.warning(&format!(
            "--host {}: everybody who can reach this machine can use the components, and read the sources that errors show",
            arguments.host
        ));
    }
    let offer = given::offer(config, &arguments.env, &arguments.config)?;
    let front = Front::new(config, &arguments.what, isolation, &folder);
    let server = Server::bind(Settings {
        seal: given::seal(config),
        folder,
        address,
        own_host,
        offer,
        network: given::network(config)?,
        front: Arc::new(front),
    });
    let server = server.map_err(|error| cannot_serve(&error))?;
    let url = url(server.address());
    if config.printer.json {
        ui::emit(&json!({"event": "serving", "url": url}));
    } else {
        config.printer.result(&format!("{url}\n"));
    }
    config.printer.status("Status", &format!("{url}/_run; Ctrl-C stops the server"));
    let stopper = server.stopper();
    signals::on_cancel(&cancel, move || stopper.stop())?;
    server.run().map_err(|error| cannot_serve(&error))?;
    config.printer.status("Stopped", "the development server");
    Ok(ExitCode::SUCCESS)
}

/// Returns the address to listen on, and its name if it was given by one.
fn address(host: &str, port: u16) -> Result<(SocketAddr, Option<String>), CommandError> {
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse() {
        return Ok((SocketAddr::new(address, port), None));
    }
    let unknown = || {
        CommandError::usage(format!("`{host}` is not an address of this machine"))
            .hint("127.0.0.1 is for this machine alone, 0.0.0.0 lets all others in")
    };
    let mut found =
        (host, port).to_socket_addrs().map_err(|source| unknown().caused_by(&source))?;
    let first = found.next().ok_or_else(unknown)?;
    Ok((first, Some(host.to_owned())))
}

/// Returns the address for a browser on this machine.
fn url(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("http://127.0.0.1:{}", address.port()),
        false => format!("http://{address}"),
    }
}

fn cannot_serve(error: &ServeError) -> CommandError {
    let this = CommandError::from_error(Kind::Environment, error);
    match error {
        ServeError::Listen { address, .. } if address.port() != 0 => {
            this.hint("choose another port: `--port 0` picks one that is free")
        }
        _ => this,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |host: &str, expect: &str, shown: &str| {
            let (address, name) = address(host, 80).unwrap();
            assert_eq!(
                (address.to_string(), name, url(address)),
                (expect.to_owned(), None, shown.to_owned())
            );
        };
        check("127.0.0.1", "127.0.0.1:80", "http://127.0.0.1:80");
        check("0.0.0.0", "0.0.0.0:80", "http://127.0.0.1:80");
        check("::1", "[::1]:80", "http://[::1]:80");
        check("[::1]", "[::1]:80", "http://[::1]:80");
        assert_eq!(address("localhost", 80).unwrap().1.as_deref(), Some("localhost"));
        let error = address("", 80).unwrap_err();
        assert_eq!(error.message, "`` is not an address of this machine");
    }
}
