//! Every statement of the store. One text serves both engines; where they must differ, the engine adds to it
//! (`engine.rs`: how a transaction begins, how a change wakes workers elsewhere).
//!
//! A statement that changes a job names in its `WHERE` the state that it may leave, and a running job's lease: a change that
//! is not allowed changes nothing, whoever asks for it and however late.

use super::types::{Filter, State};

/// The columns of a job as it is shown.
macro_rules! row {
    () => {
        "id, state, paused, cancel_asked, group_key, user_id, guild_id, channel_id, platform, priority, created_at, run_at, \
         started_at, finished_at, attempts, max_attempts, lease_until, worker, phase, fraction, request, address, method, \
         error_code, error_text, outcome, files, bytes, took_ms"
    };
}

/// The line of those who have not ended, as a worker would claim them if nothing ended and nothing was added: by priority, then
/// by turn, then by age. A turn is how many of the same group run or have theirs before, because each claim takes one of the
/// group that runs least. `held`: it, its server or everything is paused. `ready`: it may begin; only among those a place means
/// something. `also`: what counts as ready besides. Open jobs are few, however long the history.
macro_rules! line {
    ($now:literal, $also:literal) => {
        concat!(
            "busy AS (SELECT group_key AS busy_group, count(*) AS at_work FROM jobs \
                 WHERE state = 'running' AND lease_until > ",
            $now,
            " GROUP BY group_key), \
             open AS (SELECT id, state, group_key, priority, created_at, run_at, coalesce(at_work, 0) AS at_work, \
                 CAST(CASE WHEN paused = 1 OR EXISTS (SELECT 1 FROM job_pauses p \
                     WHERE p.guild_id = 0 OR p.guild_id = jobs.guild_id) THEN 1 ELSE 0 END AS BIGINT) AS held \
                 FROM jobs LEFT JOIN busy ON busy_group = group_key WHERE state IN ('queued', 'running')), \
             due AS (SELECT open.*, CASE WHEN state = 'queued' AND (",
            $also,
            "(run_at <= ",
            $now,
            " AND held = 0)) THEN 1 ELSE 0 END AS ready FROM open), \
             turns AS (SELECT due.*, at_work + row_number() OVER ( \
                 PARTITION BY ready, group_key ORDER BY priority DESC, created_at, id) AS turn FROM due), \
             line AS (SELECT id AS place_of, held, ready, row_number() OVER ( \
                 PARTITION BY ready ORDER BY priority DESC, turn, created_at, id) - 1 AS place FROM turns)"
        )
    };
}

/// 1 id, 2 source, 3 key, 4 group, 5 user, 6 guild, 7 channel, 8 platform, 9 priority, 10 now, 11 run_at, 12 max_attempts,
/// 13 request, 14 address. No row: the source (or the id) is known.
pub(super) const ENQUEUE: &str = "INSERT INTO jobs (id, source, job_key, group_key, user_id, guild_id, channel_id, \
    platform, priority, state, created_at, run_at, max_attempts, request, address) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'queued', $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING RETURNING id";

/// 1 id, 2 now, 3 address. Only before the first attempt: afterwards its worker keeps the address.
pub(super) const RELEASE: &str = "UPDATE jobs SET run_at = $2, address = $3 \
    WHERE id = $1 AND state = 'queued' AND started_at IS NULL RETURNING id";

/// 1 now, 2 lease, 3 lease_until, 4 worker, 5 the most of a group, 6 the most of a platform.
///
/// May run: what is queued and due, and what runs under a lapsed lease. A lapsed job without attempts left comes first, to be
/// ended, whatever the limits. Of the others: priority, then whose group runs least, then age. Paused jobs, those of groups and
/// platforms at their limit, and those whose key is at work are passed over: it is until what it brings is there to be shared.
pub(super) const CLAIM: &str = "WITH \
    active AS (SELECT group_key, platform, CASE shared WHEN 0 THEN job_key END AS job_key \
        FROM jobs WHERE state = 'running' AND lease_until > $1), \
    busy AS (SELECT group_key, count(*) AS jobs FROM active GROUP BY group_key), \
    crowded AS (SELECT platform FROM active GROUP BY platform HAVING count(*) >= $6), \
    open AS ( \
        SELECT id, group_key, guild_id, job_key, platform, priority, created_at, paused, 0 AS spent \
        FROM jobs WHERE state = 'queued' AND run_at <= $1 \
        UNION ALL \
        SELECT id, group_key, guild_id, job_key, platform, priority, created_at, paused, \
            CASE WHEN attempts >= max_attempts THEN 1 ELSE 0 END \
        FROM jobs WHERE state = 'running' AND lease_until <= $1), \
    pick AS ( \
        SELECT open.id AS picked, open.spent FROM open LEFT JOIN busy ON busy.group_key = open.group_key \
        WHERE open.spent = 1 OR (open.paused = 0 AND coalesce(busy.jobs, 0) < $5 \
            AND NOT EXISTS (SELECT 1 FROM active WHERE active.job_key = open.job_key) \
            AND NOT EXISTS (SELECT 1 FROM crowded WHERE crowded.platform = open.platform) \
            AND NOT EXISTS (SELECT 1 FROM job_pauses p WHERE p.guild_id = 0 OR p.guild_id = open.guild_id)) \
        ORDER BY open.spent DESC, open.priority DESC, coalesce(busy.jobs, 0), open.created_at, open.id LIMIT 1) \
    UPDATE jobs SET \
        state = CASE spent WHEN 1 THEN 'needs_attention' ELSE 'running' END, \
        attempts = attempts + 1 - spent, shared = 0, \
        lease = CASE spent WHEN 0 THEN CAST($2 AS TEXT) END, \
        lease_until = CASE spent WHEN 0 THEN CAST($3 AS BIGINT) END, \
        worker = CASE spent WHEN 0 THEN $4 ELSE worker END, \
        phase = NULL, fraction = NULL, \
        started_at = coalesce(started_at, $1), \
        finished_at = CASE spent WHEN 1 THEN $1 END, \
        error_code = CASE spent WHEN 1 THEN 'internal' ELSE error_code END, \
        error_text = CASE spent WHEN 1 THEN 'its worker died at every attempt' ELSE error_text END \
    FROM pick WHERE id = picked AND (state = 'queued' OR (state = 'running' AND lease_until <= $1)) \
    RETURNING id, state, attempts, max_attempts, request, address, \
        (SELECT count(*) FROM job_parts WHERE job_parts.job = jobs.id) AS parts";

/// 1 id.
pub(super) const PARTS: &str =
    "SELECT number, state, message_id, channel_id, files FROM job_parts WHERE job = $1 ORDER BY number";

/// 1 id, 2 lease, 3 lease_until, 4 phase, 5 fraction. A lapsed lease that nobody has taken over lives again.
pub(super) const BEAT: &str = "UPDATE jobs SET lease_until = $3, phase = $4, fraction = $5 \
    WHERE id = $1 AND lease = $2 AND state = 'running' RETURNING cancel_asked";

/// 1 id, 2 lease, 3 address.
pub(super) const READDRESS: &str =
    "UPDATE jobs SET address = $3 WHERE id = $1 AND lease = $2 AND state = 'running' RETURNING id";

/// 1 id, 2 lease: whether the lease holds. In a transaction nobody can take the job over after this until its end.
pub(super) const HOLD: &str =
    "UPDATE jobs SET lease = lease WHERE id = $1 AND lease = $2 AND state = 'running' RETURNING id";

/// 1 id, 2 number, 3 state, 4 message, 5 channel, 6 files. No row: it was sent already, and that does not change.
pub(super) const PART: &str = "INSERT INTO job_parts (job, number, state, message_id, channel_id, files) \
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (job, number) DO UPDATE SET state = excluded.state, \
    message_id = excluded.message_id, channel_id = excluded.channel_id, files = excluded.files \
    WHERE job_parts.state <> 'sent' OR excluded.state = 'sent' RETURNING number";

/// 1 id, 2 lease, 3 now, 4 the state asked for, 5 run_at, 6 platform, 7 method, 8 error_code, 9 error_text, 10 outcome,
/// 11 files, 12 bytes, 13 took_ms. To be queued again takes an attempt left and nobody who wants it to stop.
pub(super) const FINISH: &str = "UPDATE jobs SET \
        state = CASE WHEN $4 <> 'queued' THEN $4 WHEN cancel_asked = 1 THEN 'cancelled' \
            WHEN attempts >= max_attempts THEN 'failed' ELSE 'queued' END, \
        finished_at = CASE WHEN $4 = 'queued' AND cancel_asked = 0 AND attempts < max_attempts THEN NULL ELSE CAST($3 AS BIGINT) END, \
        run_at = coalesce($5, run_at), lease = NULL, lease_until = NULL, phase = NULL, fraction = NULL, \
        platform = coalesce($6, platform), method = $7, error_code = $8, error_text = $9, outcome = $10, \
        files = $11, bytes = $12, took_ms = $13 \
    WHERE id = $1 AND lease = $2 AND state = 'running' RETURNING state";

/// 1 id, 2 lease. From now on others with the same key may run beside it.
pub(super) const SHARE: &str = "UPDATE jobs SET shared = 1 \
    WHERE id = $1 AND lease = $2 AND state = 'running' AND shared = 0 AND job_key IS NOT NULL RETURNING id";

/// 1 key, 2 channel, 3 since. The newest message that a delivered job has begun with.
pub(super) const POSTED: &str = "SELECT job_parts.channel_id, job_parts.message_id \
    FROM jobs JOIN job_parts ON job_parts.job = jobs.id AND job_parts.number = 0 \
    WHERE jobs.job_key = $1 AND jobs.channel_id = $2 AND jobs.finished_at >= $3 AND jobs.state = 'done' \
        AND job_parts.state = 'sent' AND job_parts.channel_id IS NOT NULL AND job_parts.message_id IS NOT NULL \
    ORDER BY jobs.finished_at DESC, jobs.id DESC LIMIT 1";

/// 1 id, 2 lease, 3 now. The attempt does not count. What somebody wants stopped is not queued again.
pub(super) const GIVE_BACK: &str = "UPDATE jobs SET \
        state = CASE WHEN cancel_asked = 1 THEN 'cancelled' ELSE 'queued' END, \
        finished_at = CASE WHEN cancel_asked = 1 THEN CAST($3 AS BIGINT) END, \
        attempts = attempts - 1, lease = NULL, lease_until = NULL, phase = NULL, fraction = NULL \
    WHERE id = $1 AND lease = $2 AND state = 'running' RETURNING id, state";

/// 1 id, 2 now.
pub(super) const CANCEL: &str = "UPDATE jobs SET cancel_asked = 1, \
        finished_at = CASE WHEN state = 'queued' THEN CAST($2 AS BIGINT) END, \
        state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END \
    WHERE id = $1 AND state IN ('queued', 'running') RETURNING id, state";

/// 1 id, 2 now, 3 request or none. What was delivered is never done again, nor what was called off before it began: that may
/// be a command that another process has answered. What was posted stays written down, and so does why it failed, until the
/// next attempt ends. Another request is not the same as those that it was like.
pub(super) const AGAIN: &str = "UPDATE jobs SET state = 'queued', run_at = $2, request = coalesce($3, request), \
        job_key = CASE WHEN CAST($3 AS TEXT) IS NULL THEN job_key END, attempts = 0, cancel_asked = 0, paused = 0, \
        finished_at = NULL \
    WHERE id = $1 AND (state IN ('failed', 'needs_attention') OR state = 'cancelled' AND started_at IS NOT NULL) \
    RETURNING id";

/// 1 id.
pub(super) const IS_CANCEL_ASKED: &str = "SELECT cancel_asked FROM jobs WHERE id = $1";

/// 1 id. Adds a job that has just ended to its day.
pub(super) const TALLY: &str = "INSERT INTO job_days \
        (day, guild_id, platform, method, state, error_code, jobs, files, bytes, took_ms) \
    SELECT finished_at / 86400000, coalesce(guild_id, 0), platform, coalesce(method, ''), state, coalesce(error_code, ''), \
        1, files, bytes, took_ms FROM jobs WHERE id = $1 AND finished_at IS NOT NULL \
    ON CONFLICT (day, guild_id, platform, method, state, error_code) DO UPDATE SET jobs = job_days.jobs + 1, \
        files = job_days.files + excluded.files, bytes = job_days.bytes + excluded.bytes, \
        took_ms = job_days.took_ms + excluded.took_ms";

/// 1 id, 2 edge of the step, 3 how long it took. Adds a job that has just been delivered to the histogram.
pub(super) const TIME: &str = "INSERT INTO job_times (platform, method, upto_ms, day, guild_id, jobs, least_ms, most_ms) \
    SELECT platform, coalesce(method, ''), CAST($2 AS BIGINT), finished_at / 86400000, coalesce(guild_id, 0), 1, \
        CAST($3 AS BIGINT), CAST($3 AS BIGINT) FROM jobs WHERE id = $1 AND state = 'done' \
    ON CONFLICT (platform, method, upto_ms, day, guild_id) DO UPDATE SET jobs = job_times.jobs + 1, \
        least_ms = CASE WHEN excluded.least_ms < job_times.least_ms THEN excluded.least_ms ELSE job_times.least_ms END, \
        most_ms = CASE WHEN excluded.most_ms > job_times.most_ms THEN excluded.most_ms ELSE job_times.most_ms END";

/// 1 id, 2 now. How many have their turn before this one, also where it may not begin yet.
pub(super) const PLACE: &str = concat!(
    "WITH ",
    line!("$2", "id = $1 OR "),
    " SELECT place AS ahead, held FROM line WHERE place_of = $1 AND ready = 1"
);

/// 1 now, 2 server or none, 3 person outside of servers or none, 4 how many. What runs and what waits, in the order in which it
/// is to be done. What may not begin now has no place and comes last.
pub(super) const QUEUE: &str = concat!(
    "WITH ",
    line!("$1", ""),
    " SELECT ",
    row!(),
    ", held, CASE WHEN ready = 1 THEN place END AS ahead, count(*) OVER () AS total \
     FROM line JOIN jobs ON jobs.id = line.place_of \
     WHERE (CAST($2 AS BIGINT) IS NULL OR guild_id = $2) \
         AND (CAST($3 AS BIGINT) IS NULL OR (user_id = $3 AND guild_id IS NULL)) \
     ORDER BY CASE WHEN state = 'running' THEN 0 WHEN ready = 1 THEN 1 ELSE 2 END, \
         CASE WHEN ready = 1 THEN place ELSE 0 END, created_at, id LIMIT $4"
);

/// 1 now. How many jobs may run while nobody is at work on any.
pub(super) const UNATTENDED: &str = "SELECT count(*) AS waiting FROM jobs open \
    WHERE ((open.state = 'queued' AND open.run_at <= $1) OR (open.state = 'running' AND open.lease_until <= $1)) \
        AND open.paused = 0 \
        AND NOT EXISTS (SELECT 1 FROM job_pauses p WHERE p.guild_id = 0 OR p.guild_id = open.guild_id) \
        AND NOT EXISTS (SELECT 1 FROM jobs active WHERE active.state = 'running' AND active.lease_until > $1)";

/// 1 id, 2 whether (0 or 1).
pub(super) const PAUSE_JOB: &str =
    "UPDATE jobs SET paused = $2 WHERE id = $1 AND paused <> $2 AND state IN ('queued', 'running') RETURNING id";

/// 1 server or 0, 2 now.
pub(super) const PAUSE: &str =
    "INSERT INTO job_pauses (guild_id, since) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING guild_id";

/// 1 server or none. A row: nothing of it is begun.
pub(super) const PAUSED: &str =
    "SELECT guild_id FROM job_pauses WHERE guild_id = 0 OR guild_id = CAST($1 AS BIGINT) LIMIT 1";

/// 1 server or 0.
pub(super) const RESUME: &str = "DELETE FROM job_pauses WHERE guild_id = $1 RETURNING guild_id";

/// One job. 1 id.
pub(super) const ROW: &str = concat!("SELECT ", row!(), " FROM jobs WHERE id = $1");

/// Jobs by state. What has ended is counted by day, because that does not take longer the more there are.
pub(super) const COUNTS: &str = "SELECT state, paused, count(*) AS jobs FROM jobs WHERE state IN ('queued', 'running') \
    GROUP BY state, paused \
    UNION ALL SELECT state, 0 AS paused, CAST(sum(jobs) AS BIGINT) AS jobs FROM job_days GROUP BY state";

/// Which days, servers and platforms are counted: 1 server or none, 2 platform or none, 3 first day.
macro_rules! counted {
    () => {
        " WHERE (CAST($1 AS BIGINT) IS NULL OR guild_id = $1) AND (CAST($2 AS TEXT) IS NULL OR platform = $2) AND day >= $3"
    };
}

/// What counters come to.
macro_rules! sums {
    () => {
        "CAST(sum(jobs) AS BIGINT) AS jobs, CAST(sum(files) AS BIGINT) AS files, CAST(sum(bytes) AS BIGINT) AS bytes, \
         CAST(sum(took_ms) AS BIGINT) AS took_ms"
    };
}

/// 1 server or none, 2 platform or none, 3 first day. In the order of the table, so that nothing is sorted.
pub(super) const STATS: &str = concat!(
    "SELECT state, platform, method, error_code, ",
    sums!(),
    " FROM job_days",
    counted!(),
    " GROUP BY state, platform, method, error_code"
);

/// The same by day.
pub(super) const DAYS: &str =
    concat!("SELECT day, state, ", sums!(), " FROM job_days", counted!(), " GROUP BY day, state");

/// The same of how long what was delivered took. In the order of the table, too.
pub(super) const TIMES: &str = concat!(
    "SELECT platform, method, upto_ms, CAST(sum(jobs) AS BIGINT) AS jobs, min(least_ms) AS least_ms, max(most_ms) AS most_ms \
     FROM job_times",
    counted!(),
    " GROUP BY platform, method, upto_ms"
);

/// 1 the moment before which they ended, 2 how many at once: a long lock would hold up everybody.
pub(super) const TIDY: &str = "DELETE FROM jobs WHERE id IN \
    (SELECT id FROM jobs WHERE finished_at IS NOT NULL AND finished_at < $1 ORDER BY finished_at LIMIT $2) \
    AND finished_at IS NOT NULL RETURNING id";

/// Everything above, for the test that prepares each.
#[cfg(test)]
pub(super) const ALL: &[&str] = &[
    ENQUEUE,
    RELEASE,
    CLAIM,
    PARTS,
    BEAT,
    READDRESS,
    HOLD,
    PART,
    FINISH,
    SHARE,
    POSTED,
    GIVE_BACK,
    CANCEL,
    AGAIN,
    IS_CANCEL_ASKED,
    TALLY,
    TIME,
    PLACE,
    QUEUE,
    UNATTENDED,
    PAUSE_JOB,
    PAUSE,
    PAUSED,
    RESUME,
    ROW,
    COUNTS,
    STATS,
    DAYS,
    TIMES,
    TIDY,
];

/// The page of a filter: its values are bound in the order guild, user, platform, code, ended since, before, as far as they
/// are there; then the limit.
pub(super) fn list(filter: &Filter) -> String {
    let mut sql = concat!("SELECT ", row!(), " FROM jobs").to_owned();
    let (mut wanted, mut bound) = (Vec::new(), 0);
    if !filter.states.is_empty() {
        let words: Vec<String> = filter.states.iter().map(|state: &State| format!("'{}'", state.word())).collect();
        wanted.push(format!("state IN ({})", words.join(", ")));
    }
    for (column, there) in [
        ("guild_id =", filter.guild.is_some()),
        ("user_id =", filter.user.is_some()),
        ("platform =", filter.platform.is_some()),
        ("error_code =", filter.code.is_some()),
        ("finished_at >=", filter.ended_since.is_some()),
        ("id <", filter.before.is_some()),
    ] {
        if there {
            bound += 1;
            wanted.push(format!("{column} ${bound}"));
        }
    }
    if !wanted.is_empty() {
        sql.push_str(&format!(" WHERE {}", wanted.join(" AND ")));
    }
    sql.push_str(&format!(" ORDER BY id DESC LIMIT ${}", bound + 1));
    sql
}
