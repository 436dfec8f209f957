//! The functions by which a component gets hold of something outside of it, and what each of them answers where it is denied.
//!
//! WASI hands things out: a file is opened below a folder that `preopens` gave, a connection is made with a socket that some function
//! created. So it is enough to deny the few functions at which all that begins, the *doors*. A component may still use what another
//! component of the same composition hands to it. Clocks, random numbers and standard streams are no doors here: what they give is not
//! the component's to keep secret or to change.

use wit_parser::Function;

/// A function that gives something of the outside.
pub(super) struct Door {
    /// The word of the capability that it belongs to.
    word: &'static str,
    /// The interface, without its version.
    interface: &'static str,
    /// The function, as WebAssembly names it.
    function: &'static str,
    /// The answer where it is denied.
    pub(super) answer: Answer,
}

/// The answer of a function that is denied. The host gives the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Success with nothing in it: an empty list, or no value.
    Nothing,
    /// The case of this name of the function's error type.
    Error(&'static str),
}

const fn door(
    word: &'static str,
    interface: &'static str,
    function: &'static str,
    answer: Answer,
) -> Door {
    Door { word, interface, function, answer }
}

const DENIED: Answer = Answer::Error("access-denied");
const REFUSED: Answer = Answer::Error("HTTP-request-denied");

const DOORS: &[Door] = &[
    door("http-client", "wasi:http/outgoing-handler", "handle", REFUSED),
    door("http-client", "wasi:http/client", "send", REFUSED),
    door("filesystem", "wasi:filesystem/preopens", "get-directories", Answer::Nothing),
    door("env", "wasi:cli/environment", "get-environment", Answer::Nothing),
    door("sockets", "wasi:sockets/tcp-create-socket", "create-tcp-socket", DENIED),
    door("sockets", "wasi:sockets/udp-create-socket", "create-udp-socket", DENIED),
    door("sockets", "wasi:sockets/ip-name-lookup", "resolve-addresses", DENIED),
    door("sockets", "wasi:sockets/types", "[static]tcp-socket.create", DENIED),
    door("sockets", "wasi:sockets/types", "[static]udp-socket.create", DENIED),
    door("config", "wasi:config/store", "get", Answer::Nothing),
    door("config", "wasi:config/store", "get-all", Answer::Nothing),
    door("keyvalue", "wasi:keyvalue/store", "open", DENIED),
    door("logging", "wasi:logging/logging", "log", Answer::Nothing),
];

/// Finds the door that a function of an interface is, if the capability that it needs is among those denied.
pub(super) fn find(
    interface: &str,
    function: &Function,
    denied: &[String],
) -> Option<&'static Door> {
    let interface = interface.split_once('@').map_or(interface, |(name, _)| name);
    DOORS.iter().find(|door| {
        door.interface == interface
            && door.function == function.name
            && denied.iter().any(|word| word == door.word)
    })
}

/// Tells if there is anything to deny for a capability inside a composition.
pub(crate) fn can_be_denied(word: &str) -> bool {
    DOORS.iter().any(|door| door.word == word)
}
