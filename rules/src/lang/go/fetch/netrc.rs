//! Reads `netrc`, the file with the user's logins for servers, as the go command does.

use crate::package::fetch::Login;

/// An entry of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    /// A host, perhaps with a port and the beginning of a path.
    name: String,
    login: Login,
}

/// Returns the complete entries of a file.
pub(super) fn parse(text: &str) -> Vec<Machine> {
    let mut machines = Vec::new();
    let (mut name, mut user, mut password) = (None, None, None);
    let mut in_macro = false;
    for line in text.split('\n') {
        if in_macro {
            in_macro = !line.is_empty();
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        for pair in words.chunks(2) {
            let [word, value] = *pair else {
                // The entry `default` stands last. It names no server that its login could be sent to.
                if pair == ["default"] {
                    return machines;
                }
                break;
            };
            match word {
                "machine" => (name, user, password) = (Some(value), None, None),
                "login" => user = Some(value),
                "password" => password = Some(value),
                "macdef" => in_macro = true,
                _ => {}
            }
            if let (Some(machine), Some(login), Some(secret)) = (name, user, password) {
                let login = Login { user: login.to_owned(), password: secret.to_owned() };
                machines.push(Machine { name: machine.to_owned(), login });
                (name, user, password) = (None, None, None);
            }
        }
    }
    machines
}

/// Returns the login for a URL. A login is sent over https only.
pub(super) fn login<'a>(machines: &'a [Machine], url: &str) -> Option<&'a Login> {
    let mut place = url.strip_prefix("https://")?.trim_end_matches('/');
    loop {
        if let Some(machine) = machines.iter().find(|machine| machine.name == place) {
            return Some(&machine.login);
        }
        place = place.rsplit_once('/')?.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_complete_entry_of_the_nearest_place_counts() {
        let text = "machine a.org login one password x\nmachine a.org login two password y\n\
                    machine a.org/team\n  login three\n  password z\nmacdef init\nmachine m.org login \
                    m password m\n\nmachine half.org login me\nmachine b.org:8443 login b account q \
                    password w\ndefault login any password any\nmachine c.org login c password c\n\
                    default\nlogin any\npassword any\nmachine late.org login l password l\n";
        let machines = parse(text);
        let check = |url: &str, expect: Option<(&str, &str)>| {
            let found = login(&machines, url);
            let found = found.map(|login| (login.user.as_str(), login.password.as_str()));
            assert_eq!(found, expect, "{url}");
        };
        check("https://a.org/x/@v/v1.zip", Some(("one", "x")));
        check("https://a.org/team/x", Some(("three", "z")));
        check("https://a.org/teams/x", Some(("one", "x")));
        check("http://a.org/x", None);
        check("https://b.org:8443/x", Some(("b", "w")));
        check("https://b.org/x", None);
        check("https://c.org/", Some(("c", "c")));
        for host in ["m", "half", "late", "other", "xa"] {
            check(&format!("https://{host}.org/x"), None);
        }
        assert_eq!(format!("{:?}", machines[0].login), "Login { .. }");
    }
}
