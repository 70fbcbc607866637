-- Version 1. Ids and enums are TEXT, times INTEGER microseconds since 1970 UTC, documents JSON text.
-- Tables with documents keep their rowid: a wide row then fits its page instead of spilling over.

CREATE TABLE alerts (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL,
  connection   TEXT NOT NULL,
  vendor_id    TEXT NOT NULL,
  -- SHA-256 of the document as received: tells a redelivery from an update.
  digest       BLOB NOT NULL,
  incident     TEXT NOT NULL,
  received     INTEGER NOT NULL,
  document     TEXT NOT NULL,
  raw          TEXT NOT NULL,
  UNIQUE (organization, connection, vendor_id)
);
CREATE INDEX alerts_by_incident ON alerts (incident);

CREATE TABLE incidents (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL,
  title        TEXT NOT NULL,
  severity     INTEGER NOT NULL,
  opened       INTEGER NOT NULL,
  updated      INTEGER NOT NULL,
  -- How many alerts it has taken.
  alerts       INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX incidents_by_time ON incidents (organization, updated);

-- What is remembered of an entity: the incident that last saw it, which is what correlation looks up,
-- and what ran by itself on it, for budgets that each target has of its own. Together, because keys of
-- entities come in no order: one more tree of them costs each alert one more page of the log.
CREATE TABLE entities (
  organization TEXT NOT NULL,
  entity       TEXT NOT NULL,
  incident     TEXT,
  seen         INTEGER,
  -- An object: by scope, what `spending` keeps in `slices`.
  spent        TEXT,
  PRIMARY KEY (organization, entity)
) WITHOUT ROWID;

CREATE TABLE actions (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL,
  incident     TEXT NOT NULL,
  -- The alert that led to it.
  alert        TEXT NOT NULL,
  connection   TEXT NOT NULL,
  type         TEXT NOT NULL,
  -- The property or one-shot, and the target's key: what only one live action may hold.
  slot         TEXT NOT NULL,
  target       TEXT NOT NULL,
  state        TEXT NOT NULL,
  live         INTEGER NOT NULL,
  -- In a state people look for; the many that simply went well are not indexed by state.
  attention    INTEGER NOT NULL,
  version      INTEGER NOT NULL,
  document     TEXT NOT NULL
);
CREATE INDEX actions_by_incident ON actions (incident, type, target);
CREATE INDEX actions_by_state ON actions (organization, state, id) WHERE attention = 1;
-- INVARIANT: one live action per slot of a target.
CREATE UNIQUE INDEX actions_live ON actions (organization, connection, slot, target) WHERE live = 1;

CREATE INDEX actions_reverting ON actions (organization, connection, slot, target) WHERE state = 'reverting';

-- What somebody said no to.
CREATE INDEX actions_rejected ON actions (organization, type, target, id) WHERE state = 'rejected';

-- Deeds that cover everything before them.
CREATE INDEX actions_on_accounts ON actions (organization, connection, slot, target)
  WHERE slot IN ('account.revoke_sessions', 'account.reset_password');

-- Alerts that joined an action another alert had led to.
CREATE TABLE joined (
  action TEXT NOT NULL,
  alert  TEXT NOT NULL,
  PRIMARY KEY (action, alert)
) WITHOUT ROWID;

-- The truth: the transitions of each change of an action, as a JSON array, appended in the
-- transaction that makes the change. Rows stand in the order they came in, so that a later change does
-- not split the pages of those before it.
CREATE TABLE journal (
  action      TEXT NOT NULL,
  version     INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  transitions TEXT NOT NULL,
  -- How the budgets stood that it was charged to; only known in that transaction.
  budgets     TEXT,
  PRIMARY KEY (action, version)
);

-- Work to come. A job that is held is due again when its lease ends, so a holder that died is
-- noticed by the same query that finds due work.
CREATE TABLE jobs (
  key      TEXT PRIMARY KEY,
  kind     TEXT NOT NULL,
  subject  TEXT NOT NULL,
  due      INTEGER NOT NULL,
  holder   TEXT,
  attempts INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX jobs_by_due ON jobs (due);

-- Messages to come, gathered per channel and thread by a job of kind `send`.
CREATE TABLE outbox (
  seq      INTEGER PRIMARY KEY,
  channel  TEXT NOT NULL,
  thread   TEXT NOT NULL,
  document TEXT NOT NULL
);
CREATE INDEX outbox_by_thread ON outbox (channel, thread, seq);

CREATE TABLE approvals (
  seq          INTEGER PRIMARY KEY,
  organization TEXT NOT NULL,
  action       TEXT NOT NULL,
  -- Hash of exactly what the person was shown.
  shown        TEXT NOT NULL,
  person       TEXT NOT NULL,
  yes          INTEGER NOT NULL,
  reason       TEXT NOT NULL,
  at           INTEGER NOT NULL
);
CREATE INDEX approvals_by_action ON approvals (action, seq);
-- How often somebody said yes lately.
CREATE INDEX approvals_by_person ON approvals (organization, person, at);

-- Who put each rule in force as it stands: they do not also approve by it for a while.
CREATE TABLE rule_authors (
  organization TEXT NOT NULL,
  rule         TEXT NOT NULL,
  -- Hash of what the rule says.
  digest       TEXT NOT NULL,
  -- Missing when nobody is known: at a start, or by a signal.
  person       TEXT,
  since        INTEGER NOT NULL,
  PRIMARY KEY (organization, rule)
) WITHOUT ROWID;

-- What the organization allowed Quell to do, and what it took back: the latest row of an action holds.
CREATE TABLE opt_ins (
  seq          INTEGER PRIMARY KEY,
  organization TEXT NOT NULL,
  action       TEXT NOT NULL,
  opted_in     INTEGER NOT NULL,
  person       TEXT NOT NULL,
  at           INTEGER NOT NULL,
  -- The text agreed to; the reason, where it was taken back.
  text         TEXT NOT NULL
);

-- How much ran by itself: what a sliding window adds up.
CREATE TABLE spending (
  organization TEXT NOT NULL,
  -- The budget, with the source or detection if each has its own.
  scope        TEXT NOT NULL,
  -- An array of pairs: when a slice of time began, and how many ran in it. Those that still count.
  slices       TEXT NOT NULL,
  PRIMARY KEY (organization, scope)
) WITHOUT ROWID;

-- How often a source, and each of its detections, sends alerts: since when, and two counts that fade,
-- one within minutes and one within days. What is new and what is a storm is read off them.
CREATE TABLE pulses (
  organization TEXT NOT NULL,
  scope        TEXT NOT NULL,
  first        INTEGER NOT NULL,
  last         INTEGER NOT NULL,
  recent       REAL NOT NULL,
  usual        REAL NOT NULL,
  PRIMARY KEY (organization, scope)
) WITHOUT ROWID;

-- Events that mean more when they happen twice, such as risky sign-ins, by whom they happened to.
CREATE TABLE events (
  organization TEXT NOT NULL,
  scope        TEXT NOT NULL,
  subject      TEXT NOT NULL,
  event        TEXT NOT NULL,
  at           INTEGER NOT NULL,
  -- The person said that it was them: it stays for those who hear of it again, and does not count.
  cleared      INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (organization, scope, subject, event)
) WITHOUT ROWID;

-- Temporary passwords, sealed with a key that is not in here. Given out once: then only the record is left.
CREATE TABLE passwords (
  action       TEXT PRIMARY KEY,
  organization TEXT NOT NULL,
  sealed       BLOB,
  made         INTEGER NOT NULL,
  expires      INTEGER NOT NULL,
  shown_to     TEXT,
  shown_at     INTEGER
) WITHOUT ROWID;

-- "Was this you?": one question per event and person, and what they said. Who has the database can
-- neither follow a link in it nor make one.
CREATE TABLE questions (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL,
  incident     TEXT NOT NULL,
  subject      TEXT NOT NULL,
  event        TEXT NOT NULL,
  -- SHA-256 of what the link holds.
  token        BLOB NOT NULL UNIQUE,
  -- What the link holds, sealed with a key that is not in here, until the letter is on its way.
  sealed       BLOB,
  expires      INTEGER NOT NULL,
  document     TEXT NOT NULL,
  yes          INTEGER,
  person       TEXT,
  answered     INTEGER,
  UNIQUE (organization, subject, event)
);
CREATE INDEX questions_by_incident ON questions (incident);

-- Small durable facts: feed cursors, what is paused, used webhook ids.
CREATE TABLE facts (
  name    TEXT PRIMARY KEY,
  value   TEXT NOT NULL,
  expires INTEGER
) WITHOUT ROWID;
CREATE INDEX facts_by_expiry ON facts (expires) WHERE expires IS NOT NULL;

-- Entries of protection lists that are kept at run time. What an entry says is not the store's business.
CREATE TABLE list_entries (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL,
  -- `person`, or the connection whose job fills it.
  source       TEXT NOT NULL,
  expires      INTEGER,
  document     TEXT NOT NULL
);
CREATE INDEX list_entries_by_source ON list_entries (organization, source, id);

-- Who put which entry on a list, and who took it off: only ever appended to. The last row says which
-- state the entries are in, so whoever has seen it has seen them all.
CREATE TABLE list_history (
  seq          INTEGER PRIMARY KEY,
  organization TEXT NOT NULL,
  entry        TEXT NOT NULL,
  -- added, removed or expired
  change       TEXT NOT NULL,
  person       TEXT NOT NULL,
  reason       TEXT NOT NULL,
  at           INTEGER NOT NULL,
  document     TEXT NOT NULL
);
CREATE INDEX list_history_by_time ON list_history (organization, seq);
CREATE INDEX list_history_by_entry ON list_history (entry, seq);
