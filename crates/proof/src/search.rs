//! Looking for a request: one that a set of rules allows, while another set allows it too, or refuses
//! it. Owns what is put to the solver, and the second opinion on every request that it comes up with.

use cedar_policy::{
    Authorizer, Decision, Entities, Policy as Rule, PolicyId, PolicySet, Request, RequestEnv,
    Response, Schema,
};
use cedar_policy_symcc::err::Error;
use cedar_policy_symcc::solver::SolverError;
use cedar_policy_symcc::{CedarSymCompiler, CompiledPolicy, CompiledPolicySet, Env};

use crate::facts::{PLAIN, POSSIBLE};
use crate::session::Session;
use crate::solver::Solver;

/// What the second set of rules has to say to the request that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Other {
    Allows,
    Refuses,
}

/// A request that is looked for.
pub(crate) struct Search<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) environment: &'a RequestEnv,
    /// These allow it; they know what is possible.
    allowing: PolicySet,
    other: PolicySet,
    wanted: Other,
}

/// A request that the authorizer has confirmed.
pub(crate) struct Found {
    pub(crate) request: Request,
    pub(crate) entities: Entities,
    /// The rules that allow it.
    pub(crate) permits: Vec<PolicyId>,
}

impl<'a> Search<'a> {
    /// For a request that `allowing` allows and `other` allows or refuses. Nothing when the sets cannot
    /// be made, which is a mistake of ours.
    pub(crate) fn new(
        schema: &'a Schema,
        environment: &'a RequestEnv,
        allowing: PolicySet,
        other: PolicySet,
        wanted: Other,
    ) -> Option<Self> {
        let mut search = Self {
            schema,
            environment,
            allowing,
            other,
            wanted,
        };
        for (index, text) in POSSIBLE.iter().enumerate() {
            search.allowing = with(&search.allowing, &format!("?possible{index}"), text)?;
        }
        Some(search)
    }

    /// The request, if there is one; what keeps it from being known, else.
    pub(crate) async fn run(
        &self,
        session: &mut CedarSymCompiler<Session>,
    ) -> Result<Option<Found>, String> {
        let found = self
            .ask(session, &self.allowing)
            .await
            .map_err(|error| said(&error))?;
        found.map(|found| self.confirm(&found)).transpose()
    }

    /// Whether the other rules can be evaluated for every request. One that cannot matches nothing
    /// there, so that nothing would be said about such a request.
    pub(crate) async fn other_is_evaluated(
        &self,
        session: &mut CedarSymCompiler<Session>,
    ) -> Result<bool, String> {
        for rule in self.other.policies() {
            let rule = CompiledPolicy::compile(rule, self.environment, self.schema);
            let rule = rule.map_err(|error| said(&error))?;
            let always = session.check_never_errors_opt(&rule).await;
            if !always.map_err(|error| said(&error))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes a request that was found as plain as it can be. Whenever it is stopped, `found` is right.
    pub(crate) async fn make_plain(
        &self,
        session: &mut CedarSymCompiler<Session>,
        found: &mut Found,
    ) {
        let mut allowing = self.allowing.clone();
        for (index, text) in PLAIN.iter().enumerate() {
            let Some(plainer) = with(&allowing, &format!("?plain{index}"), text) else {
                continue;
            };
            match self.ask(session, &plainer).await {
                Ok(Some(request)) => {
                    if let Ok(confirmed) = self.confirm(&request) {
                        *found = confirmed;
                        allowing = plainer;
                    }
                }
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }

    async fn ask(
        &self,
        session: &mut CedarSymCompiler<Session>,
        allowing: &PolicySet,
    ) -> Result<Option<Env>, Error> {
        let allowing = CompiledPolicySet::compile(allowing, self.environment, self.schema)?;
        let other = CompiledPolicySet::compile(&self.other, self.environment, self.schema)?;
        match self.wanted {
            Other::Allows => {
                session
                    .check_disjoint_with_counterexample_opt(&allowing, &other)
                    .await
            }
            Other::Refuses => {
                session
                    .check_implies_with_counterexample_opt(&allowing, &other)
                    .await
            }
        }
    }

    /// Decides the request as it would be decided for real.
    fn confirm(&self, found: &Env) -> Result<Found, String> {
        let unconfirmed = || {
            "the solver named a request, but deciding it for real gives another answer".to_owned()
        };
        let request = &found.request;
        let request = (|| {
            Request::new(
                request.principal()?.clone(),
                request.action()?.clone(),
                request.resource()?.clone(),
                request.context()?.clone(),
                Some(self.schema),
            )
            .ok()
        })()
        .ok_or_else(unconfirmed)?;
        let entities = Entities::from_entities(found.entities.iter().cloned(), Some(self.schema))
            .map_err(|_| unconfirmed())?;
        let decide = |rules| Authorizer::new().is_authorized(&request, rules, &entities);
        let (answer, other) = (decide(&self.allowing), decide(&self.other));
        let wanted = match self.wanted {
            Other::Allows => Decision::Allow,
            Other::Refuses => Decision::Deny,
        };
        if answer.decision() != Decision::Allow || other.decision() != wanted {
            return Err(unconfirmed());
        }
        // A rule that cannot be evaluated is passed over by Cedar, and Quell then asks a person: such
        // a request shows neither that the rules are wrong nor that they are right.
        if failed(&answer) || failed(&other) {
            return Err(
                "a rule cannot be evaluated for the request that the solver named".to_owned(),
            );
        }
        let permits = answer.diagnostics().reason().cloned().collect();
        Ok(Found {
            request,
            entities,
            permits,
        })
    }
}

/// Opens a conversation with the solver.
pub(crate) async fn open(solver: &Solver) -> Result<CedarSymCompiler<Session>, String> {
    let session = Session::open(solver)
        .await
        .map_err(|error| trouble(&error))?;
    CedarSymCompiler::new(session).map_err(|error| said(&error))
}

/// The set with one more rule of our own, which no rule of a policy can be named like.
pub(crate) fn with(rules: &PolicySet, id: &str, text: &str) -> Option<PolicySet> {
    let mut more = rules.clone();
    more.add(Rule::parse(Some(PolicyId::new(id)), text).ok()?)
        .ok()?;
    Some(more)
}

fn failed(answer: &Response) -> bool {
    answer.diagnostics().errors().next().is_some()
}

/// What went wrong, for people, without what the library calls its parts.
fn said(error: &Error) -> String {
    match error {
        Error::SolverError(error) => trouble(error),
        Error::EncodeError(_) => "the solver stopped listening".to_owned(),
        Error::SolverUnknown => "the solver does not know".to_owned(),
        Error::DecodeModel(_) | Error::ConcretizeError(_) | Error::ModelInvalid { .. } => {
            "the solver's answer makes no sense".to_owned()
        }
        _ => "the rules could not be put to the solver".to_owned(),
    }
}

fn trouble(error: &SolverError) -> String {
    match error {
        SolverError::Io(_) | SolverError::SolverMarkedFailed => "the solver stopped".to_owned(),
        SolverError::Solver(said) => format!("the solver failed: {}", one_line(said)),
        SolverError::UnrecognizedSolverOutput(said) => {
            format!("the solver's answer makes no sense: `{}`", one_line(said))
        }
    }
}

fn one_line(text: &str) -> String {
    let start: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
    start.trim().to_owned()
}
