//! From searches to a verdict. Owns what counts as a proof, the time it may take, and what is said when
//! there is none.

use std::time::Duration;

use cedar_policy_symcc::CedarSymCompiler;

use crate::counter_example::CounterExample;
use crate::rules::Named;
use crate::search::{self, Found, Search};
use crate::session::Session;
use crate::solver::Solver;
use crate::verdict::Verdict;

/// How long a counter-example is made plainer before it is shown as it is.
const PLAIN_LIMIT: Duration = Duration::from_secs(5);

/// What is said when the thread that proves ended, or there was none.
pub(crate) const INTERRUPTED: &str = "the proof ended before its answer";

/// What is said when the rules could not be prepared for the solver.
pub(crate) const UNASKED: &str = "the rules could not be put to the solver";

/// A statement about one kind of request.
pub(crate) struct Part<'a> {
    /// Finds a request for which the statement is wrong.
    pub(crate) broken: Search<'a>,
    /// Finds a request that the statement is about, where it may be about none.
    pub(crate) meaning: Option<Search<'a>>,
}

enum Outcome<'a> {
    Kept { environments: usize },
    Broken(Box<CedarSymCompiler<Session>>, &'a Search<'a>, Box<Found>),
}

/// Whether a statement about these rules is right for every kind of request.
///
/// A statement about nothing would hold of every policy. So the solver also has to name a request that
/// the statement is about, which is confirmed like any other; that shows as well that it finds what is
/// there to be found.
pub(crate) async fn decide(solver: &Solver, rules: &[Named], parts: &[Part<'_>]) -> Verdict {
    let started = solver.now();
    match solver.within(solver.limit(), look(solver, parts)).await {
        None => Verdict::undecided(format!(
            "the solver did not answer within {} s",
            solver.limit().as_secs_f64()
        )),
        Some(Err(why)) => Verdict::undecided(why),
        Some(Ok(Outcome::Kept { environments: 0 })) => {
            Verdict::undecided("no request can match it, so it says nothing")
        }
        Some(Ok(Outcome::Kept { environments })) => Verdict::Holds {
            environments,
            time: solver.since(started),
        },
        Some(Ok(Outcome::Broken(mut session, broken, mut found))) => {
            let plainer = broken.make_plain(&mut session, &mut found);
            // Whether that got to its end does not matter.
            let _ended = solver.within(PLAIN_LIMIT, plainer).await;
            match CounterExample::of(&found, rules) {
                Some(counter_example) => Verdict::Fails {
                    counter_example: Box::new(counter_example),
                },
                None => Verdict::undecided("there is a counter-example that cannot be worded"),
            }
        }
    }
}

async fn look<'a>(solver: &Solver, parts: &'a [Part<'a>]) -> Result<Outcome<'a>, String> {
    let mut session = search::open(solver).await?;
    let mut environments = 0;
    for part in parts {
        if let Some(found) = part.broken.run(&mut session).await? {
            return Ok(Outcome::Broken(
                Box::new(session),
                &part.broken,
                Box::new(found),
            ));
        }
        let meant = match &part.meaning {
            Some(meaning) => {
                if !meaning.other_is_evaluated(&mut session).await? {
                    return Err(
                        "it cannot be evaluated for every request; write it without arithmetic"
                            .to_owned(),
                    );
                }
                meaning.run(&mut session).await?.is_some()
            }
            None => true,
        };
        environments += usize::from(meant);
    }
    Ok(Outcome::Kept { environments })
}
