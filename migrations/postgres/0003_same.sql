-- Jobs that ask for the same: how long they wait for each other, and what was posted where.

-- Whether others with the same key may run beside it, because what they wait for is there.
ALTER TABLE jobs ADD COLUMN shared BIGINT NOT NULL DEFAULT 0 CHECK (shared IN (0, 1));

CREATE INDEX jobs_same ON jobs (job_key, channel_id, finished_at) WHERE job_key IS NOT NULL;
