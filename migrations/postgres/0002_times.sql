-- Statistics that are answered at once and know how long jobs took. migrations/sqlite makes the same tables and columns.

-- The counters in the order in which they are asked for: states, platforms, methods and errors are summed up in one pass,
-- without sorting, however many days and servers there are.
ALTER TABLE job_days DROP CONSTRAINT job_days_pkey,
    ADD CONSTRAINT job_days_pkey PRIMARY KEY (state, platform, method, error_code, day, guild_id);

-- How long delivered jobs took, by day: a histogram, so that percentiles can be told when the jobs themselves are tidied
-- away. Its steps are each about a tenth longer than the one before.
CREATE TABLE job_times (
    platform TEXT NOT NULL,
    method   TEXT NOT NULL,
    upto_ms  BIGINT NOT NULL,                   -- the end of the step
    day      BIGINT NOT NULL,
    guild_id BIGINT NOT NULL,                   -- 0 outside of servers
    jobs     BIGINT NOT NULL,
    least_ms BIGINT NOT NULL,                   -- the fastest of them
    most_ms  BIGINT NOT NULL,                   -- the slowest of them
    PRIMARY KEY (platform, method, upto_ms, day, guild_id)
);

-- The jobs that are still there. Of those tidied away only the sum of their times is known.
WITH RECURSIVE
    steps (above, upto) AS (
        SELECT CAST(-1 AS BIGINT), CAST(1 AS BIGINT)
        UNION ALL SELECT upto, upto + upto / 10 + 1 FROM steps WHERE upto < 86400000),
    ended AS (
        SELECT platform, coalesce(method, '') AS method, finished_at / 86400000 AS day, coalesce(guild_id, 0) AS guild_id,
            CASE WHEN took_ms < 0 THEN 0 WHEN took_ms > 86400000 THEN 86400000 ELSE took_ms END AS took
        FROM jobs WHERE state = 'done')
INSERT INTO job_times (platform, method, upto_ms, day, guild_id, jobs, least_ms, most_ms)
    SELECT platform, method, upto, day, guild_id, count(*), min(took), max(took)
    FROM ended JOIN steps ON took > above AND took <= upto
    GROUP BY platform, method, upto, day, guild_id;
