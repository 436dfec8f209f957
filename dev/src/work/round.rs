//! One build, and what follows from it: other versions are loaded and put into service together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use cache::Digest;
use engine::{ActionId, Events, Outcome};
use project::{Built, Project};
use rules::manifest::{CapabilityKind, Component, Origin};
use rules::plan::{Plan, PlannedComponent};
use runtime::Grants;
use sandbox::Cancel;

use super::load::{Runnable, Version};
use super::opened::Opened;
use super::recorder::Recorder;
use super::workshop::{Ended, Held, Workshop};
use crate::board::{BuildCard, BuildOutcome, ComponentCard, Role};
use crate::front::{Complaint, Message};
use crate::grants::grants;
use crate::route::{Routed, Routes, routes_of};
use crate::site::{Site, Target, short};
use crate::watch::Changed;

/// The differences that a build makes to the components that run.
#[derive(Default)]
struct News {
    /// Components of which another version was loaded, with true if there was one before.
    loaded: Vec<(String, bool)>,
    /// Components of which there is another version that is not to be put into service.
    behind: Vec<String>,
    /// The components that could not be loaded, and why.
    complaints: Vec<Complaint>,
    /// Components that were not built.
    stale: BTreeSet<String>,
    unchanged: usize,
    all: usize,
}

impl Workshop {
    /// Builds, and puts what is new into service.
    pub(super) fn build(&mut self, changed: &Changed, cancel: &Cancel) -> Ended {
        let began = Instant::now();
        let front = Arc::clone(&self.parts.app.front);
        let Some(opened) = &mut self.opened else { return Ended::Done { is_idle: false } };
        opened.builder.cancel = cancel.clone();
        opened.state.sources().forget();
        let touched = opened.data.changed(&changed.paths);
        let board = Arc::clone(&self.parts.app.board);
        let recorder = Arc::new(Recorder::new(front.events(&opened.builder), board, began));
        let events: Arc<dyn Events> = recorder.clone();
        let built = build(opened, &self.parts.loader.compiler, &events);
        self.learn();
        if cancel.is_cancelled() {
            self.parts.app.board.change(|news| news.building = None);
            return Ended::Interrupted;
        }
        let (plan, code, built) = match built {
            Ok(built) => built,
            Err(error) => {
                let complaint = match &self.opened {
                    Some(opened) => front.failed(&opened.builder, error),
                    None => return Ended::Done { is_idle: false },
                };
                self.fail(changed, vec![complaint]);
                return Ended::Done { is_idle: false };
            }
        };
        let mut news = self.take(&plan, &code, &built.outcome);
        let summary = &built.outcome.summary;
        let is_idle = summary.ran == 0
            && built.outcome.failures.is_empty()
            && news.loaded.is_empty()
            && news.complaints.is_empty()
            && !self.has_failed
            && self
                .parts
                .app
                .board
                .look(|board| board.build.is_some() && board.behind == news.behind);
        let is_idle = is_idle && self.routes_are_current(&plan) && touched.is_empty();
        if is_idle {
            self.parts.app.board.change(|board| board.building = None);
            return Ended::Done { is_idle };
        }
        let mut complaints = match &self.opened {
            Some(opened)
                if summary.ran > 0
                    || !built.outcome.failures.is_empty()
                    || !news.loaded.is_empty() =>
            {
                front.built(&opened.builder, &plan, &built, began)
            }
            _ => Vec::new(),
        };
        complaints.append(&mut news.complaints);
        self.put_into_service(&plan, &news, changed, &touched, !complaints.is_empty());
        let build = BuildCard {
            ended: Instant::now(),
            took: changed.first.elapsed(),
            outcome: if complaints.is_empty() {
                BuildOutcome::Succeeded
            } else {
                BuildOutcome::Failed
            },
            actions: recorder.actions(),
            hits: summary.hits,
        };
        let is_mended = complaints.is_empty() && self.has_failed;
        self.has_failed = !complaints.is_empty();
        self.parts.app.board.change(|board| {
            board.behind = news.behind;
            board.add_build(build, complaints);
        });
        if is_mended && news.loaded.is_empty() {
            self.tell(&Message::Mended);
        }
        Ended::Done { is_idle: false }
    }

    /// Loads what is new, without putting it into service.
    fn take(&mut self, plan: &Plan, code: &BTreeMap<String, ActionId>, outcome: &Outcome) -> News {
        let mut news = News { all: plan.components.len(), ..News::default() };
        let is_live = self.parts.app.knobs.is_live();
        for planned in &plan.components {
            let name = planned.name.as_str();
            let artifact = outcome.artifact(planned.action, &planned.output);
            let Some(digest) = artifact.map(|artifact| *artifact.digest()) else {
                news.stale.insert(name.to_owned());
                continue;
            };
            if self.digests.insert(name.to_owned(), digest) == Some(digest) {
                news.unchanged += 1;
            }
            let Some(code) = code.get(name) else { continue };
            let Some(granted) = self.grants(name) else { continue };
            match self.is_held(name, digest, &granted) {
                Some(true) => continue,
                Some(false) if !is_live => {
                    news.behind.push(name.to_owned());
                    continue;
                }
                _ => {}
            }
            let had_one = self.held.contains_key(name);
            match self.load(name, digest, granted, *code, outcome) {
                Ok(held) => {
                    self.held.insert(name.to_owned(), held);
                    news.loaded.push((name.to_owned(), had_one));
                }
                Err(reason) => {
                    self.tell(&Message::Broken { component: name, reason: reason.clone() });
                    news.stale.insert(name.to_owned());
                    let title = format!("{name} cannot be run");
                    let component = Some(name.to_owned());
                    news.complaints.push(Complaint { component, title, text: reason });
                }
            }
        }
        self.held.retain(|name, _| code.contains_key(name));
        news
    }

    /// Tells if a version of a component is the one that runs. Returns `None` if none does.
    fn is_held(&self, name: &str, digest: Digest, grants: &Grants) -> Option<bool> {
        let held = self.held.get(name)?;
        Some(held.digest == digest && held.grants == *grants)
    }

    /// Returns what a component may do.
    fn grants(&self, name: &str) -> Option<Grants> {
        let Project { folder, manifest } = &self.opened.as_ref()?.builder.project;
        let component = manifest.component(name)?;
        Some(grants(component, manifest, folder, &self.parts.loader.offer))
    }

    fn load(
        &mut self,
        name: &str,
        digest: Digest,
        grants: Grants,
        code: ActionId,
        outcome: &Outcome,
    ) -> Result<Held, String> {
        let log = self.log(name);
        let opened = self.opened.as_ref().ok_or("the project is not open")?;
        let manifest = &opened.builder.project.manifest;
        if let Some(component) = manifest.component(name) {
            log.stands_at(manifest.line(component.span));
        }
        let version = Version { name, grants: &grants, digest, code, log };
        let loaded = self.parts.loader.load(&opened.builder.store, outcome, &version);
        let runnable = loaded.map_err(|error| self.parts.app.front.mask(&error.to_string()))?;
        Ok(Held { digest, grants, runnable })
    }

    /// Tells if the routes in service are those of run.toml.
    fn routes_are_current(&self, plan: &Plan) -> bool {
        let site = self.parts.app.site.load();
        let current = site.routes.iter().map(|(route, target)| (route.to_owned(), name_of(target)));
        let current: Vec<(String, String)> = current.collect();
        let wanted = self.routes(plan).into_iter().filter_map(|(name, route)| Some((route?, name)));
        let wanted: BTreeMap<String, String> = wanted.collect();
        wanted.into_iter().eq(current)
    }

    /// Returns the components that answer requests, or are thought to, with their routes.
    fn routes(&self, plan: &Plan) -> Vec<(String, Option<String>)> {
        let Some(opened) = &self.opened else { return Vec::new() };
        let components = opened.components();
        let needed = needed(plan, &components);
        let nothing_answers =
            !self.held.values().any(|held| matches!(held.runnable, Runnable::Handler(_)));
        let is_handler = |planned: &&PlannedComponent| match self.held.get(&planned.name) {
            Some(held) => matches!(held.runnable, Runnable::Handler(_)),
            None => components.get(planned.name.as_str()).is_some_and(|component| {
                let says_so = component.is_granted(CapabilityKind::HttpServer);
                !needed.contains(&planned.name) && (says_so || nothing_answers)
            }),
        };
        let handlers: Vec<&PlannedComponent> = plan.components.iter().filter(is_handler).collect();
        let written: Vec<Option<String>> = handlers
            .iter()
            .map(|planned| {
                let component = components.get(planned.name.as_str())?;
                component.route.as_ref().map(|route| route.value.to_string())
            })
            .collect();
        let routed: Vec<Routed<'_>> = handlers
            .iter()
            .zip(&written)
            .map(|(planned, route)| Routed { name: &planned.name, route: route.as_deref() })
            .collect();
        let names = handlers.iter().map(|planned| planned.name.clone());
        names.zip(routes_of(&routed)).collect()
    }

    /// Replaces what is in service by what was loaded, all at once, and runs commands again.
    fn put_into_service(
        &mut self,
        plan: &Plan,
        news: &News,
        changed: &Changed,
        touched: &[std::path::PathBuf],
        has_failed: bool,
    ) {
        let is_live = self.parts.app.knobs.is_live();
        if !touched.is_empty() && is_live {
            self.touches += 1;
        }
        let routes = self.routes(plan);
        let target = |name: &str| match self.held.get(name).map(|held| &held.runnable) {
            Some(Runnable::Handler(served)) => Target::Serving(Arc::clone(served)),
            _ => Target::Missing { component: name.to_owned() },
        };
        let taken = routes.iter().filter_map(|(name, route)| Some((route.clone()?, target(name))));
        let site = Site { routes: Routes::new(taken), version: self.version(&routes) };
        self.parts.app.site.store(Arc::new(site));
        let cards = self.cards(plan, news, &routes, has_failed);
        self.parts.app.board.change(|board| board.components = cards);
        self.say_what_is_new(news, changed, touched, &routes);
        self.run_commands(news, !touched.is_empty() && is_live);
    }

    fn say_what_is_new(
        &self,
        news: &News,
        changed: &Changed,
        touched: &[std::path::PathBuf],
        routes: &[(String, Option<String>)],
    ) {
        for (name, _) in news.loaded.iter().filter(|(_, had_one)| !had_one) {
            if let Some((_, Some(route))) = routes.iter().find(|(routed, _)| routed == name) {
                let url = format!("{}{route}", self.parts.url);
                self.tell(&Message::Serving { component: name, url });
            }
        }
        let reloaded: Vec<String> = news
            .loaded
            .iter()
            .filter(|(_, had_one)| *had_one)
            .map(|(name, _)| name.clone())
            .collect();
        if !reloaded.is_empty() {
            self.tell(&Message::Reloaded {
                components: &reloaded,
                took: changed.first.elapsed(),
                unchanged: news.unchanged,
                all: news.all,
            });
        }
        if !news.behind.is_empty() {
            self.tell(&Message::NotReloaded { components: &news.behind });
        }
        if let Some(first) = touched.first().filter(|_| news.loaded.is_empty()) {
            let path = first.strip_prefix(&self.parts.folder).unwrap_or(first);
            let path = path.display().to_string();
            self.tell(&Message::Touched { path, more: touched.len() - 1 });
        }
    }

    /// Runs the commands of which another version was loaded; all of them if a file was changed that they may read.
    fn run_commands(&mut self, news: &News, all: bool) {
        let mut due = Vec::new();
        for (name, held) in &self.held {
            let is_new = news.loaded.iter().any(|(loaded, _)| loaded == name);
            if let (Runnable::Command(loaded, log), true) = (&held.runnable, all || is_new) {
                due.push((name.clone(), loaded.clone(), Arc::clone(log)));
            }
        }
        let held = &self.held;
        self.parts.commands.keep(|name| {
            held.get(name).is_some_and(|held| matches!(held.runnable, Runnable::Command(..)))
        });
        for (name, loaded, log) in due {
            self.parts.commands.start(&name, loaded, log);
        }
    }

    /// Names everything that is in service, and the files that components may read.
    fn version(&self, routes: &[(String, Option<String>)]) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut serves = false;
        for (name, route) in routes {
            let Some(held) = self.held.get(name) else { continue };
            serves = true;
            let route = route.as_deref().unwrap_or_default();
            let digest = held.digest.to_string();
            for text in [name, route, digest.as_str()] {
                hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
            }
        }
        match (serves, self.touches) {
            (false, _) => String::new(),
            (true, 0) => hasher.finalize().to_hex().as_str()[..12].to_owned(),
            (true, touches) => format!("{}-{touches}", &hasher.finalize().to_hex().as_str()[..12]),
        }
    }

    fn cards(
        &self,
        plan: &Plan,
        news: &News,
        routes: &[(String, Option<String>)],
        has_failed: bool,
    ) -> Vec<ComponentCard> {
        let Some(opened) = &self.opened else { return Vec::new() };
        let components = opened.components();
        let needed = needed(plan, &components);
        let before = self.parts.app.board.look(|news| news.components.clone());
        let card = |component: &Component| {
            let name = component.name.to_string();
            let held = self.held.get(&name);
            let digest = match held {
                Some(held) => Some(held.digest),
                None => self.digests.get(&name).copied(),
            };
            let route = routes.iter().find(|(routed, _)| *routed == name);
            let role = match (held.map(|held| &held.runnable), route) {
                (_, Some((_, Some(route)))) => Role::Handler { route: route.clone() },
                (_, Some((_, None))) => Role::NoRoute,
                (Some(Runnable::Command(..)), _) => {
                    let before = before.iter().find(|card| card.name == name);
                    let before = before.map(|card| card.role.clone());
                    let waiting = || Role::Command { state: "waiting".to_owned() };
                    before
                        .filter(|role| matches!(role, Role::Command { .. }))
                        .unwrap_or_else(waiting)
                }
                (Some(_), _) => Role::Library,
                (None, _) if needed.contains(&name) => Role::Library,
                (None, _) => Role::Unknown,
            };
            // A composition that failed with one of its parts is as stale as that part.
            let is_stale = has_failed && news.stale.contains(&name);
            ComponentCard {
                language: language(component),
                role,
                version: digest.as_ref().map(short),
                digest: digest.map(|digest| digest.to_string()),
                capabilities: capabilities(component),
                dependencies: component
                    .dependencies
                    .iter()
                    .map(|it| it.value.to_string())
                    .collect(),
                is_stale,
                name,
            }
        };
        let planned = plan.components.iter();
        planned
            .filter_map(|planned| components.get(planned.name.as_str()).map(|it| card(it)))
            .collect()
    }
}

/// Plans and builds. Returns the plan, the actions that compile components, and the build.
fn build(
    opened: &mut Opened,
    compiler: &crate::compiled::Compiler,
    events: &Arc<dyn Events>,
) -> Result<(Plan, BTreeMap<String, ActionId>, Built), project::Error> {
    let Opened { builder, state, .. } = opened;
    let mut planned = builder.plan(state, events)?;
    let components: BTreeMap<&str, &Component> =
        builder.project.manifest.components.iter().map(|it| (it.name.as_str(), it)).collect();
    let mut code = BTreeMap::new();
    let needed = needed(&planned.plan, &components);
    for component in planned.plan.components.clone() {
        if !needed.contains(&component.name) {
            let added = compiler.add(&mut planned.plan, &component);
            // The label is this action's own, and its input an output of the plan.
            let action = added.expect("a component is compiled once");
            code.insert(component.name, action);
        }
    }
    builder.check_promises(&planned.plan)?;
    let built = builder.build(&mut planned, state, events)?;
    Ok((planned.plan, code, built))
}

/// Returns the names of the components that other components of the plan depend on.
fn needed(plan: &Plan, components: &BTreeMap<&str, &Component>) -> BTreeSet<String> {
    let planned = plan.components.iter().filter_map(|it| components.get(it.name.as_str()));
    let dependencies = planned.flat_map(|component| &component.dependencies);
    dependencies.map(|dependency| dependency.value.to_string()).collect()
}

fn name_of(target: &Target) -> String {
    match target {
        Target::Serving(served) => served.component.clone(),
        Target::Missing { component } => component.clone(),
    }
}

fn capabilities(component: &Component) -> Vec<String> {
    component.capabilities.iter().map(|capability| capability.value.to_string()).collect()
}

fn language(component: &Component) -> String {
    match &component.origin {
        Origin::Source { language, .. } => language.value.to_string(),
        Origin::Prebuilt { .. } => "ready-made".to_owned(),
    }
}
