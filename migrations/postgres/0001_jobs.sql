-- The job store on PostgreSQL. migrations/sqlite holds the same tables and columns: a test compares them.
-- Times are milliseconds since 1970, UTC. Texts named in comments as JSON are written and read by the program only.

CREATE TABLE jobs (
    id           TEXT PRIMARY KEY NOT NULL,     -- a UUID of version 7, so that ids sort by age
    source       TEXT UNIQUE,                   -- what asked for it; a second row for the same is refused
    job_key      TEXT,                          -- jobs with the same key never run at once
    group_key    TEXT NOT NULL,                 -- who shares a limit: a server, or a person outside of servers
    user_id      BIGINT,
    guild_id     BIGINT,
    channel_id   BIGINT,
    platform     TEXT NOT NULL,
    priority     BIGINT NOT NULL CHECK (priority BETWEEN 0 AND 100),
    state        TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'needs_attention')),
    paused       BIGINT NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    cancel_asked BIGINT NOT NULL DEFAULT 0 CHECK (cancel_asked IN (0, 1)),
    created_at   BIGINT NOT NULL,
    run_at       BIGINT NOT NULL,               -- not claimed before
    started_at   BIGINT,                        -- of the first attempt
    finished_at  BIGINT,
    attempts     BIGINT NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    max_attempts BIGINT NOT NULL CHECK (max_attempts >= 1),
    lease        TEXT,                          -- whoever knows this word may write to a running job
    lease_until  BIGINT,                        -- after this another worker may take the job over
    worker       TEXT,                          -- who runs it, or ran it last
    phase        TEXT,                          -- how far it has come, as the worker says
    fraction     DOUBLE PRECISION,
    request      TEXT NOT NULL,                 -- JSON: what is to be done
    address      TEXT NOT NULL,                 -- JSON: where the answer goes
    method       TEXT,                          -- how it was done in the end
    error_code   TEXT,
    error_text   TEXT,
    outcome      TEXT,                          -- JSON: every attempt
    files        BIGINT NOT NULL DEFAULT 0,
    bytes        BIGINT NOT NULL DEFAULT 0,
    took_ms      BIGINT NOT NULL DEFAULT 0,
    CHECK ((state = 'running') = (lease IS NOT NULL)),
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('done', 'failed', 'cancelled', 'needs_attention')) = (finished_at IS NOT NULL))
);

-- Claims find what is queued and what runs by it: few rows, however long the history.
CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_by_guild ON jobs (guild_id, id);
CREATE INDEX jobs_by_user ON jobs (user_id, id);

-- What a job has posted: one row a message.
CREATE TABLE job_parts (
    job        TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number     BIGINT NOT NULL CHECK (number >= 0),
    state      TEXT NOT NULL CHECK (state IN ('reserved', 'sending', 'sent')),
    message_id BIGINT,
    channel_id BIGINT,
    files      TEXT NOT NULL,                   -- JSON: which files it carries
    PRIMARY KEY (job, number)
);

-- Of which servers nothing is started; 0 stands for all.
CREATE TABLE job_pauses (
    guild_id BIGINT PRIMARY KEY NOT NULL,
    since    BIGINT NOT NULL
);

-- What jobs came to, by day (days since 1970, UTC). It stays when the jobs themselves are tidied away.
CREATE TABLE job_days (
    day        BIGINT NOT NULL,
    guild_id   BIGINT NOT NULL,                 -- 0 outside of servers
    platform   TEXT NOT NULL,
    method     TEXT NOT NULL,
    state      TEXT NOT NULL,
    error_code TEXT NOT NULL,
    jobs       BIGINT NOT NULL,
    files      BIGINT NOT NULL,
    bytes      BIGINT NOT NULL,
    took_ms    BIGINT NOT NULL,
    PRIMARY KEY (day, guild_id, platform, method, state, error_code)
);
