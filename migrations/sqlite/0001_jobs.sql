-- The job store on SQLite. migrations/postgres holds the same tables and columns: a test compares them.
-- Times are milliseconds since 1970, UTC. Texts named in comments as JSON are written and read by the program only.

CREATE TABLE jobs (
    id           TEXT PRIMARY KEY NOT NULL,     -- a UUID of version 7, so that ids sort by age
    source       TEXT UNIQUE,                   -- what asked for it; a second row for the same is refused
    job_key      TEXT,                          -- jobs with the same key never run at once
    group_key    TEXT NOT NULL,                 -- who shares a limit: a server, or a person outside of servers
    user_id      INTEGER,
    guild_id     INTEGER,
    channel_id   INTEGER,
    platform     TEXT NOT NULL,
    priority     INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 100),
    state        TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'needs_attention')),
    paused       INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    cancel_asked INTEGER NOT NULL DEFAULT 0 CHECK (cancel_asked IN (0, 1)),
    created_at   INTEGER NOT NULL,
    run_at       INTEGER NOT NULL,              -- not claimed before
    started_at   INTEGER,                       -- of the first attempt
    finished_at  INTEGER,
    attempts     INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    max_attempts INTEGER NOT NULL CHECK (max_attempts >= 1),
    lease        TEXT,                          -- whoever knows this word may write to a running job
    lease_until  INTEGER,                       -- after this another worker may take the job over
    worker       TEXT,                          -- who runs it, or ran it last
    phase        TEXT,                          -- how far it has come, as the worker says
    fraction     REAL,
    request      TEXT NOT NULL,                 -- JSON: what is to be done
    address      TEXT NOT NULL,                 -- JSON: where the answer goes
    method       TEXT,                          -- how it was done in the end
    error_code   TEXT,
    error_text   TEXT,
    outcome      TEXT,                          -- JSON: every attempt
    files        INTEGER NOT NULL DEFAULT 0,
    bytes        INTEGER NOT NULL DEFAULT 0,
    took_ms      INTEGER NOT NULL DEFAULT 0,
    CHECK ((state = 'running') = (lease IS NOT NULL)),
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('done', 'failed', 'cancelled', 'needs_attention')) = (finished_at IS NOT NULL))
) STRICT;

-- Claims find what is queued and what runs by it: few rows, however long the history.
CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_by_guild ON jobs (guild_id, id);
CREATE INDEX jobs_by_user ON jobs (user_id, id);

-- What a job has posted: one row a message.
CREATE TABLE job_parts (
    job        TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number     INTEGER NOT NULL CHECK (number >= 0),
    state      TEXT NOT NULL CHECK (state IN ('reserved', 'sending', 'sent')),
    message_id INTEGER,
    channel_id INTEGER,
    files      TEXT NOT NULL,                   -- JSON: which files it carries
    PRIMARY KEY (job, number)
) STRICT;

-- Of which servers nothing is started; 0 stands for all.
CREATE TABLE job_pauses (
    guild_id INTEGER PRIMARY KEY NOT NULL,
    since    INTEGER NOT NULL
) STRICT;

-- What jobs came to, by day (days since 1970, UTC). It stays when the jobs themselves are tidied away.
CREATE TABLE job_days (
    day        INTEGER NOT NULL,
    guild_id   INTEGER NOT NULL,                -- 0 outside of servers
    platform   TEXT NOT NULL,
    method     TEXT NOT NULL,
    state      TEXT NOT NULL,
    error_code TEXT NOT NULL,
    jobs       INTEGER NOT NULL,
    files      INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    took_ms    INTEGER NOT NULL,
    PRIMARY KEY (day, guild_id, platform, method, state, error_code)
) STRICT, WITHOUT ROWID;
