//! Rules that decide nothing: no request matches them, or whatever they match is forbidden by others.
//! Owns what counts as that; whether it is a mistake is for the caller to say.

use std::collections::BTreeSet;
use std::fmt;

use cedar_policy::{Authorizer, PolicyId, PolicySet, RequestEnv, ResourceConstraint, Schema};
use cedar_policy_symcc::CedarSymCompiler;
use quell_model::ActionType;
use quell_policy::{Diagnostics, Policy, RuleInfo, Source, matrix};
use serde::Serialize;

use crate::counter_example::PermittedBy as Place;
use crate::decide::{INTERRUPTED, UNASKED};
use crate::rules::{self, Named};
use crate::search::{self, Found, Other, Search};
use crate::session::Session;
use crate::solver::Solver;
use crate::stack;

/// A rule that decides nothing, or of which nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Idle {
    /// Its `@id`.
    pub rule: String,
    /// Name of the text it stands in.
    pub file: String,
    /// The line it begins on.
    pub line: usize,
    /// What is the matter with it.
    #[serde(flatten)]
    pub why: Why,
}

/// Why a rule decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// No request there can be matches it.
    NeverMatches,
    /// It permits, and everything it matches is forbidden.
    NeverPermits {
        /// The rules that forbid it together; never empty.
        because: Vec<Place>,
    },
    /// It forbids, and others forbid everything it matches.
    ForbiddenAnyway {
        /// As above.
        because: Vec<Place>,
    },
    /// Nobody knows.
    Undecided {
        /// Why there is no answer, for people: lower case, one line.
        reason: String,
    },
}

/// Which of the rules that `own` picks decide nothing, in the order of file and line. Of a table's cells
/// only those that permit are looked at: one that forbids twice does what it says.
///
/// A picked rule that forbids everything against an attack, without a condition, is a freeze. It is meant
/// to leave the others nothing to decide, so they are judged as if it were not there.
///
/// Blocks until it is done, at most the solver's time limit for each rule.
///
/// # Errors
/// When the texts do not load as a policy.
pub fn idle(
    solver: &Solver,
    sources: &[Source<'_>],
    own: impl Fn(&RuleInfo) -> bool,
) -> Result<Vec<Idle>, Diagnostics> {
    let first = sources.first().copied().unwrap_or(Policy::schema_source());
    let all = stack::large(|| rules::load(sources));
    let all = all.unwrap_or_else(|| Err(rules::unreadable(&first)))?;
    let about: Vec<&Named> = all
        .iter()
        .filter(|rule| own(&rule.info) && !(rule.compiled && rule.info.forbids))
        .collect();
    let forbids: Vec<&Named> = all
        .iter()
        .filter(|rule| rule.info.forbids && !(own(&rule.info) && freezes(rule)))
        .collect();
    let work = async {
        let schema = rules::schema()?;
        let environments = rules::environments(&schema);
        let mut found = Vec::new();
        for rule in &about {
            let subject = Subject {
                schema: &schema,
                environments: &environments,
                rule,
                forbids: &forbids,
            };
            found.extend(subject.judge(solver).await.map(|why| said(rule, why)));
        }
        Ok(found)
    };
    solver.aside(work).unwrap_or_else(|| {
        let reason = INTERRUPTED.to_owned();
        let why = Why::Undecided { reason };
        Ok(about.iter().map(|rule| said(rule, why.clone())).collect())
    })
}

fn said(rule: &Named, why: Why) -> Idle {
    let Place { rule, file, line } = place(rule);
    Idle {
        rule,
        file,
        line,
        why,
    }
}

fn place(named: &Named) -> Place {
    Place {
        rule: named.info.id.clone(),
        file: named.info.file.clone(),
        line: named.info.line,
    }
}

fn freezes(named: &Named) -> bool {
    !named.rule.has_non_scope_constraint()
        && matches!(named.rule.resource_constraint(), ResourceConstraint::Any)
        && matrix::rows().all(|action| named.info.actions.contains(&action))
}

/// A rule that is judged, and what it is judged by.
struct Subject<'a> {
    schema: &'a Schema,
    environments: &'a [(ActionType, RequestEnv)],
    rule: &'a Named,
    forbids: &'a [&'a Named],
}

impl<'a> Subject<'a> {
    /// Nothing when the rule decides something.
    async fn judge(&self, solver: &Solver) -> Option<Why> {
        let reason = match solver.within(solver.limit(), self.look(solver)).await {
            Some(Ok(why)) => return why,
            Some(Err(reason)) => reason,
            None => format!(
                "the solver did not answer within {} s",
                solver.limit().as_secs_f64()
            ),
        };
        Some(Why::Undecided { reason })
    }

    async fn look(&self, solver: &Solver) -> Result<Option<Why>, String> {
        let mut session = search::open(solver).await?;
        for (action, environment) in self.kinds() {
            let free = self.matching(environment, self.others(*action))?;
            if free.run(&mut session).await?.is_some() {
                return Ok(None);
            }
        }
        // It decides nothing. Whether it matches something at all tells the two mistakes apart, and shows
        // that the solver finds what is there to be found.
        let mut because = BTreeSet::new();
        for (action, environment) in self.kinds() {
            let alone = self.matching(environment, [])?;
            if let Some(found) = alone.run(&mut session).await? {
                let kind = (*action, environment);
                let covering = self.covering(&mut session, kind, &found).await?;
                because.extend(covering.into_iter().map(place));
            }
        }
        if because.is_empty() {
            self.anything(&mut session).await?;
            return Ok(Some(Why::NeverMatches));
        }
        let because = because.into_iter().collect();
        Ok(Some(if self.rule.info.forbids {
            Why::ForbiddenAnyway { because }
        } else {
            Why::NeverPermits { because }
        }))
    }

    /// The kinds of request the rule has a say in.
    fn kinds(&self) -> impl Iterator<Item = &'a (ActionType, RequestEnv)> + use<'a> {
        let actions = &self.rule.info.actions;
        self.environments
            .iter()
            .filter(|(action, _)| actions.contains(action))
    }

    /// The other rules that forbid something about an action.
    fn others(&self, action: ActionType) -> impl Iterator<Item = &'a Named> + use<'a> {
        let id = &self.rule.info.id;
        self.forbids
            .iter()
            .copied()
            .filter(move |other| other.info.actions.contains(&action) && other.info.id != *id)
    }

    /// Rules that forbid every request of this kind that the rule matches, of which one was found: a single
    /// one where there is one, else as many as it takes.
    async fn covering(
        &self,
        session: &mut CedarSymCompiler<Session>,
        (action, environment): (ActionType, &'a RequestEnv),
        found: &Found,
    ) -> Result<Vec<&'a Named>, String> {
        let candidates = self.forbidding(action, found);
        for one in &candidates {
            let left = self.matching(environment, [*one])?;
            if left.run(session).await?.is_none() {
                return Ok(vec![one]);
            }
        }
        let mut cover: Vec<&Named> = candidates.into_iter().take(1).collect();
        loop {
            let left = self.matching(environment, cover.iter().copied())?;
            let Some(found) = left.run(session).await? else {
                return Ok(cover);
            };
            // All of them forbid whatever the rule matches, so one of those that are left forbids this.
            let next = self.forbidding(action, &found).into_iter().next();
            cover.push(next.ok_or("the solver contradicts itself")?);
        }
    }

    /// The other rules that forbid this request.
    fn forbidding(&self, action: ActionType, found: &Found) -> Vec<&'a Named> {
        let others: Vec<&Named> = self.others(action).collect();
        let set = rules::set(others.iter().map(|other| &other.rule)).unwrap_or_default();
        let answer = Authorizer::new().is_authorized(&found.request, &set, &found.entities);
        let forbidding: BTreeSet<&PolicyId> = answer.diagnostics().reason().collect();
        let forbids = |other: &&Named| forbidding.contains(other.rule.id());
        others.into_iter().filter(forbids).collect()
    }

    /// A solver that finds no request at all has not shown that none matches.
    async fn anything(&self, session: &mut CedarSymCompiler<Session>) -> Result<(), String> {
        for (_, environment) in self.kinds() {
            let any = self.search(environment, everything());
            let any = any.ok_or_else(|| UNASKED.to_owned())?;
            if any.run(session).await?.is_none() {
                return Err("the solver finds no request there can be".to_owned());
            }
        }
        Ok(())
    }

    /// For a request that the rule matches and none of these forbids.
    fn matching<'n>(
        &self,
        environment: &'a RequestEnv,
        forbids: impl IntoIterator<Item = &'n Named>,
    ) -> Result<Search<'a>, String> {
        let search = rules::permitting(&self.rule.rule).and_then(|rule| {
            let forbids = forbids.into_iter().map(|forbid| &forbid.rule);
            self.search(environment, rules::set(forbids.chain([&rule])))
        });
        search.ok_or_else(|| UNASKED.to_owned())
    }

    fn search(
        &self,
        environment: &'a RequestEnv,
        allowing: Option<PolicySet>,
    ) -> Option<Search<'a>> {
        Search::new(
            self.schema,
            environment,
            allowing?,
            everything()?,
            Other::Allows,
        )
    }
}

fn everything() -> Option<PolicySet> {
    search::with(
        &PolicySet::new(),
        "?everything",
        "permit (principal, action, resource);",
    )
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, why, .. } = self;
        match why {
            Why::NeverMatches => write!(f, "no request there can be matches `{rule}`"),
            Why::NeverPermits { because } => {
                write!(
                    f,
                    "`{rule}` never permits anything: what it matches is forbidden by "
                )?;
                by(f, because)
            }
            Why::ForbiddenAnyway { because } => {
                write!(
                    f,
                    "`{rule}` changes no answer: what it matches is forbidden by "
                )?;
                by(f, because)
            }
            Why::Undecided { reason } => {
                write!(
                    f,
                    "whether `{rule}` decides anything is not known: {reason}"
                )
            }
        }
    }
}

fn by(f: &mut fmt::Formatter<'_>, because: &[Place]) -> fmt::Result {
    for (index, Place { rule, file, line }) in because.iter().enumerate() {
        let comma = if index > 0 { " and " } else { "" };
        write!(f, "{comma}`{rule}` ({file}:{line})")?;
    }
    Ok(())
}
