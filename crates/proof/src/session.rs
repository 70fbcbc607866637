//! One running solver and the conversation with it. Owns the bounds on what it may say: a program
//! that prints without end, nests without end or says nothing must cost an answer and nothing more.

use std::process::Stdio;

use cedar_policy_symcc::SmtLibScript;
use cedar_policy_symcc::solver::{
    Decision, DecisionWithModel, Solver as Conversation, SolverError,
};
use tokio::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufWriter, Take,
};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::solver::Solver;

/// All that one process may print. A counter-example has a few thousand bytes.
const OUTPUT_LIMIT: u64 = 8 << 20;
/// Brackets within brackets in an answer; what reads it recurses.
const NESTING_LIMIT: usize = 1000;

/// A solver process; it ends when this is dropped.
pub(crate) struct Session {
    input: BufWriter<ChildStdin>,
    output: BufReader<Take<ChildStdout>>,
    _process: Child,
}

impl Session {
    /// Starts the solver and asks it two questions whose answers are known. One that fails them
    /// proves nothing, whatever it says later.
    pub(crate) async fn open(solver: &Solver) -> Result<Self, SolverError> {
        let mut process = solver
            .command()
            .args(["--lang", "smt2", "--incremental"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(SolverError::Solver("it has no input or output".to_owned()));
        };
        let mut session = Self {
            input: BufWriter::new(input),
            output: BufReader::new(output.take(OUTPUT_LIMIT)),
            _process: process,
        };
        for (statement, expected) in [
            ("(= (bvadd x #x01) #x00)", Decision::Sat),
            ("(distinct (bvadd x #x01) (bvsub x #xff))", Decision::Unsat),
        ] {
            session.input.reset().await?;
            session.input.set_logic("ALL").await?;
            session.input.declare_const("x", "(_ BitVec 8)").await?;
            session.input.assert(statement).await?;
            if session.check_sat().await? != expected {
                return Err(SolverError::Solver(
                    "it gave a wrong answer to a question whose answer is known".to_owned(),
                ));
            }
        }
        Ok(session)
    }

    /// Reads one more line behind what is in `text`.
    async fn read_line(&mut self, text: &mut String) -> Result<(), SolverError> {
        let read = self.output.read_line(text).await?;
        if read > 0 && text.ends_with('\n') {
            return Ok(());
        }
        let why = if self.output.get_ref().limit() == 0 {
            "it printed too much"
        } else {
            "it ended before it answered"
        };
        Err(SolverError::Solver(why.to_owned()))
    }
}

impl Conversation for Session {
    fn smtlib_input(&mut self) -> &mut (dyn AsyncWrite + Unpin + Send) {
        &mut self.input
    }

    async fn enable_models(&mut self) -> Result<(), SolverError> {
        Ok(self.input.set_option("produce-models", "true").await?)
    }

    async fn check_sat(&mut self) -> Result<Decision, SolverError> {
        self.input.check_sat().await?;
        self.input.flush().await?;
        let mut answer = String::new();
        self.read_line(&mut answer).await?;
        match answer.trim() {
            "sat" => Ok(Decision::Sat),
            "unsat" => Ok(Decision::Unsat),
            "unknown" => Ok(Decision::Unknown),
            other => Err(unexpected(other)),
        }
    }

    async fn check_sat_with_model(&mut self) -> Result<DecisionWithModel, SolverError> {
        match self.check_sat().await? {
            Decision::Sat => {}
            Decision::Unsat => return Ok(DecisionWithModel::Unsat),
            Decision::Unknown => return Ok(DecisionWithModel::Unknown),
        }
        self.input.get_model().await?;
        self.input.flush().await?;
        // A model is "(", one definition after the other, and ")" on a line of its own.
        let mut model = String::new();
        self.read_line(&mut model).await?;
        if model.trim() != "(" {
            return Err(unexpected(model.trim()));
        }
        loop {
            let mut line = String::new();
            self.read_line(&mut line).await?;
            model.push_str(&line);
            if line.trim() == ")" {
                break;
            }
        }
        if nesting(&model) > NESTING_LIMIT {
            return Err(SolverError::Solver(
                "its answer is nested too deep".to_owned(),
            ));
        }
        Ok(DecisionWithModel::Sat { model })
    }
}

fn unexpected(answer: &str) -> SolverError {
    let start: String = answer.chars().take(80).collect();
    SolverError::UnrecognizedSolverOutput(start)
}

fn nesting(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    for byte in text.bytes() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}
