//! The graph of actions.
//!
//! An action can only refer to actions that were added before it. So the graph has no cycles, and
//! the order of insertion is a topological order, which everything else follows, from
//! the schedule to the events. The graph knows nothing of keys and caches, or of what has to run.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::{Access, Action, Input, Label, Source, Work};

/// Identifies an action of one [`Graph`]. Ids are ordered as the actions were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(NodeIndex);

impl ActionId {
    pub(crate) fn index(self) -> usize {
        self.0.index()
    }
}

/// The actions of a build, and the dependencies between them.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: DiGraph<Arc<Action>, ()>,
    /// The action of each label. The order of this map is never looked at.
    labels: HashMap<Label, ActionId>,
}

/// The reason why an action can't be added to the graph. Each variant has the action's label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Another action has this label. Labels name actions in messages and in the state, so they have to be unique.
    #[error("there are two actions `{0}`")]
    Duplicate(Label),
    /// An input comes from an action of another graph.
    #[error("`{label}` needs an action that is not in its graph")]
    Unknown {
        /// The action.
        label: Label,
    },
    /// An input is an output that its producer does not declare.
    #[error("`{label}` needs `{path}` of `{producer}`, which declares no such output")]
    Undeclared {
        /// The action.
        label: Label,
        /// The action it needs.
        producer: Label,
        /// The output it needs.
        path: String,
    },
    /// A path is not a plain relative path, or it is one that the sandbox keeps for itself.
    #[error("`{label}`: `{path}` can't be {role}")]
    Path {
        /// The action.
        label: Label,
        /// The path.
        path: String,
        /// The role that it was to have, such as an output.
        role: &'static str,
    },
    /// One input or output stands inside another.
    #[error("`{label}`: `{inner}` lies inside `{outer}`")]
    Overlap {
        /// The action.
        label: Label,
        /// The path that lies inside the other one.
        inner: String,
        /// The outer path, which may be the same.
        outer: String,
    },
    /// A pinned action does not declare exactly one output.
    #[error("`{label}` is pinned, so it has to declare exactly one output")]
    PinnedOutputs {
        /// The action.
        label: Label,
    },
    /// An action declares no output, so nothing of it could be stored.
    #[error("`{label}` declares no output")]
    NoOutput {
        /// The action.
        label: Label,
    },
}

impl Graph {
    /// Makes a graph without actions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an action after everything it needs.
    ///
    /// # Errors
    /// If a path of the action is invalid, or it needs an output that does not exist. The graph is unchanged then.
    pub fn add(&mut self, action: Action) -> Result<ActionId, GraphError> {
        self.check(&action)?;
        let producers = self.producers(&action)?;
        let label = action.label.clone();
        let id = ActionId(self.nodes.add_node(Arc::new(action)));
        for producer in producers {
            self.nodes.add_edge(producer.0, id.0, ());
        }
        self.labels.insert(label, id);
        Ok(id)
    }

    /// Returns the number of actions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.node_count()
    }

    /// Tells if the graph has no actions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the action with this id.
    ///
    /// # Panics
    /// If the id comes from another, larger graph.
    #[must_use]
    pub fn action(&self, id: ActionId) -> &Arc<Action> {
        &self.nodes[id.0]
    }

    /// Finds the action with this label.
    #[must_use]
    pub fn find(&self, label: &Label) -> Option<ActionId> {
        self.labels.get(label).copied()
    }

    /// Lists all actions, each after the actions that it needs.
    pub fn actions(&self) -> impl Iterator<Item = (ActionId, &Arc<Action>)> {
        self.nodes.node_indices().map(|index| (ActionId(index), &self.nodes[index]))
    }

    /// Lists the actions that `id` needs directly, in the order in which they were added.
    #[must_use]
    pub fn dependencies(&self, id: ActionId) -> Vec<ActionId> {
        self.neighbours(id, Direction::Incoming)
    }

    /// Lists the actions that need `id` directly, in the order in which they were added.
    #[must_use]
    pub fn dependents(&self, id: ActionId) -> Vec<ActionId> {
        self.neighbours(id, Direction::Outgoing)
    }

    /// Lists the neighbours of an action. Two actions have at most one edge between them, so no neighbour occurs twice.
    fn neighbours(&self, id: ActionId, direction: Direction) -> Vec<ActionId> {
        let found = self.nodes.neighbors_directed(id.0, direction);
        let mut found: Vec<ActionId> = found.map(ActionId).collect();
        found.sort_unstable();
        found
    }

    fn check(&self, action: &Action) -> Result<(), GraphError> {
        let label = &action.label;
        if self.labels.contains_key(label) {
            return Err(GraphError::Duplicate(label.clone()));
        }
        check_outputs(action)?;
        match &action.work {
            Work::Process(process) => {
                if !process.cwd.is_empty() && !is_plain(&process.cwd) {
                    return Err(bad_path(label, &process.cwd, "a working directory"));
                }
                let declared = |path: &&String| action.outputs.contains(path);
                if let Some(path) = process.stdout.as_ref().filter(|path| !declared(path)) {
                    return Err(bad_path(label, path, "standard output: it is not declared"));
                }
                check_places(label, &action.inputs)
            }
            Work::Builtin(_) => check_names(label, &action.inputs),
        }
    }

    /// Finds the actions that `action` needs, and checks that they declare the outputs that it uses.
    fn producers(&self, action: &Action) -> Result<BTreeSet<ActionId>, GraphError> {
        let mut producers = BTreeSet::new();
        for input in &action.inputs {
            let Source::Output { action: id, path } = &input.from else { continue };
            let Some(producer) = self.nodes.node_weight(id.0) else {
                return Err(GraphError::Unknown { label: action.label.clone() });
            };
            if !producer.outputs.contains(path) {
                return Err(GraphError::Undeclared {
                    label: action.label.clone(),
                    producer: producer.label.clone(),
                    path: path.clone(),
                });
            }
            producers.insert(*id);
        }
        Ok(producers)
    }
}

fn check_outputs(action: &Action) -> Result<(), GraphError> {
    let label = &action.label;
    if action.outputs.is_empty() {
        return Err(GraphError::NoOutput { label: label.clone() });
    }
    if action.pinned.is_some() && action.outputs.len() != 1 {
        return Err(GraphError::PinnedOutputs { label: label.clone() });
    }
    if let Some(path) = action.outputs.iter().find(|path| !is_plain(path)) {
        return Err(bad_path(label, path, "an output"));
    }
    check_apart(label, action.outputs.iter().map(String::as_str).collect())
}

/// Checks the paths of a command's inputs. They become mounts, and no mount may hide another one or one of the
/// sandbox.
fn check_places(label: &Label, inputs: &[Input]) -> Result<(), GraphError> {
    for Input { at, access, .. } in inputs {
        match (at.as_str(), access) {
            ("", Access::ReadOnly) => {}
            ("", Access::Scratch) => return Err(bad_path(label, at, "a writable input")),
            _ if is_plain(at) && !is_reserved(at) => {}
            _ => return Err(bad_path(label, at, "the place of an input")),
        }
    }
    check_apart(
        label,
        inputs.iter().map(|input| input.at.as_str()).filter(|at| !at.is_empty()).collect(),
    )
}

/// Checks the names of a builtin's inputs, by which the builtin looks them up.
fn check_names(label: &Label, inputs: &[Input]) -> Result<(), GraphError> {
    let mut seen = BTreeSet::new();
    for Input { at, access, .. } in inputs {
        if !is_plain(at) || *access == Access::Scratch {
            return Err(bad_path(label, at, "an input of a builtin"));
        }
        if !seen.insert(at) {
            let (inner, outer) = (at.clone(), at.clone());
            return Err(GraphError::Overlap { label: label.clone(), inner, outer });
        }
    }
    Ok(())
}

/// Refuses paths that are equal or lie inside one another.
fn check_apart(label: &Label, mut paths: Vec<&str>) -> Result<(), GraphError> {
    // The paths are sorted by their components, so that a folder is directly followed by the paths inside it.
    paths.sort_by(|a, b| a.split('/').cmp(b.split('/')));
    let inside = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match paths.windows(2).find(|pair| inside(pair[0], pair[1])) {
        Some(pair) => Err(GraphError::Overlap {
            label: label.clone(),
            inner: pair[1].to_owned(),
            outer: pair[0].to_owned(),
        }),
        None => Ok(()),
    }
}

/// Tells if a path is relative, and has no empty components, `.` or `..`.
fn is_plain(path: &str) -> bool {
    let fine = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    path.split('/').all(fine)
}

/// Tells if the sandbox or the key uses this path itself.
fn is_reserved(path: &str) -> bool {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    match first {
        "dev" | "etc" | "out" | "proc" | "sys" | crate::key::IMAGES => true,
        "tmp" => rest.is_empty(),
        _ => false,
    }
}

fn bad_path(label: &Label, path: &str, role: &'static str) -> GraphError {
    GraphError::Path { label: label.clone(), path: path.to_owned(), role }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sandbox::{Isolation, Limits};

    use super::*;
    use crate::Process;

    fn action(step: &str) -> Action {
        let process = Process {
            argv: vec!["true".to_owned()],
            env: BTreeMap::new(),
            cwd: String::new(),
            limits: Limits::STANDARD,
            determinism: None,
            stdout: None,
            isolation: Isolation::default(),
        };
        Action::process(Label::new("c", step), process)
    }

    fn tree(at: &str) -> Input {
        Input::new(at, Source::Tree(digest()))
    }

    fn digest() -> cache::Digest {
        cache::Digest::empty(cache::DigestFunction::Blake3)
    }

    #[test]
    fn what_cannot_be_added() {
        let check = |action: Action, expect: &str| {
            let mut graph = Graph::new();
            graph.add(self::action("first").output("o")).unwrap();
            let error = graph.add(action).unwrap_err();
            assert_eq!(error.to_string(), expect);
            assert_eq!(graph.len(), 1, "a refused action leaves no trace");
        };
        let first = ActionId(NodeIndex::new(0));
        let ninth = ActionId(NodeIndex::new(9));
        let a = || action("a").output("o");
        check(action("first").output("o"), "there are two actions `c:first`");
        check(action("a"), "`c:a` declares no output");
        check(action("a").output("/o"), "`c:a`: `/o` can't be an output");
        let mut printing = a();
        let Work::Process(process) = &mut printing.work else { unreachable!() };
        process.stdout = Some("p".to_owned());
        check(printing, "`c:a`: `p` can't be standard output: it is not declared");
        check(action("a").output("../o"), "`c:a`: `../o` can't be an output");
        check(action("a").output("d").output("d/f"), "`c:a`: `d/f` lies inside `d`");
        check(action("a").output("d").output("d"), "`c:a`: `d` lies inside `d`");
        check(
            a().output("p").pinned(digest()),
            "`c:a` is pinned, so it has to declare exactly one output",
        );
        check(
            a().input(Input::new("x", Source::output(ninth, "o"))),
            "`c:a` needs an action that is not in its graph",
        );
        check(
            a().input(Input::new("x", Source::output(first, "p"))),
            "`c:a` needs `p` of `c:first`, which declares no such output",
        );
        for at in
            ["/src", "a//b", "./a", "a/..", "out", "out/x", "proc", "dev/null", "tmp", ".image"]
        {
            let expect = format!("`c:a`: `{at}` can't be the place of an input");
            check(a().input(tree(at)), &expect);
        }
        check(a().input(tree("s")).input(tree("s/t")), "`c:a`: `s/t` lies inside `s`");
        check(
            a().input(Input::scratch("", Source::Tree(digest()))),
            "`c:a`: `` can't be a writable input",
        );
    }

    #[test]
    fn what_can_be_added() {
        let check = |inputs: &[&str]| {
            let action = inputs.iter().fold(action("a").output("o"), |a, at| a.input(tree(at)));
            Graph::new().add(action).unwrap();
        };
        check(&[]);
        check(&["", "", "src", "deps/vendor", "deps/vendor2", "deps-old", "tmp/target"]);
        check(&["a", "a-b", "a.b", "ab/c"]);
    }

    #[test]
    fn paths_inside_others_are_found_whatever_sorts_between() {
        let label = Label::new("c", "a");
        let check = |paths: &[&str], apart: bool| {
            assert_eq!(check_apart(&label, paths.to_vec()).is_ok(), apart, "{paths:?}");
        };
        check(&["a", "a-b", "a/b"], false);
        check(&["a/b", "a.c", "a"], false);
        check(&["a/b/c", "a/b-c", "a/bc"], true);
        check(&["a", "b", "a"], false);
    }

    #[test]
    fn neighbours_come_in_order_and_once() {
        let mut graph = Graph::new();
        let a = graph.add(action("a").output("o").output("p")).unwrap();
        let b = graph.add(action("b").output("o")).unwrap();
        let needs = |step: &str, needs: &[(ActionId, &str)]| {
            let inputs = needs.iter().enumerate();
            inputs.fold(action(step).output("o"), |action, (n, (id, path))| {
                action.input(Input::new(format!("i{n}"), Source::output(*id, *path)))
            })
        };
        let c = graph.add(needs("c", &[(b, "o"), (a, "p"), (a, "o")])).unwrap();
        let d = graph.add(needs("d", &[(a, "o")])).unwrap();
        assert_eq!(graph.dependencies(c), [a, b]);
        assert_eq!(graph.dependents(a), [c, d]);
        assert_eq!(graph.dependents(d), []);
        assert_eq!(graph.find(&Label::new("c", "d")), Some(d));
        let order: Vec<_> = graph.actions().map(|(id, _)| id).collect();
        assert_eq!(order, [a, b, c, d]);
    }
}
