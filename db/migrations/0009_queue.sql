-- SPDX-License-Identifier: Apache-2.0
--
-- The job queue in SQL (src/adapters/queue/sql), and what is to be put into whichever queue there
-- is (src/core/queue/outbox.h).

-- Not partitioned by user: whoever takes the next job looks at all users' at once.
CREATE TABLE queue_job (
    user_id BYTEA NOT NULL,
    job_id BYTEA NOT NULL,
    kind TEXT NOT NULL,
    state BIGINT NOT NULL, -- 0 ready, 1 delayed, 2 leased, 3 dead
    lane BIGINT NOT NULL, -- as it was put
    counts_as BIGINT NOT NULL, -- the lane that it has risen to
    turn BIGINT NOT NULL, -- its user's turn in that lane
    put_us BIGINT NOT NULL,
    since_us BIGINT NOT NULL, -- since when it is in this state
    due_us BIGINT NOT NULL, -- when this state ends by itself; the greatest number: never
    attempts BIGINT NOT NULL, -- that were begun
    lease BIGINT NOT NULL, -- a random number, of whoever has it or had it last
    worker TEXT NOT NULL,
    reason TEXT NOT NULL, -- why it failed last
    payload BYTEA, -- NULL: in queue_payload
    PRIMARY KEY (user_id, job_id)
);
CREATE INDEX queue_job_next ON queue_job (kind, counts_as, turn, job_id) WHERE state = 0;
CREATE INDEX queue_job_turn ON queue_job (user_id, kind, counts_as, turn) WHERE state = 0;
CREATE INDEX queue_job_due ON queue_job (due_us);
CREATE INDEX queue_job_dead ON queue_job (since_us) WHERE state = 3;

-- Those too large to be written again with each change of their job.
CREATE TABLE queue_payload (
    user_id BYTEA NOT NULL,
    job_id BYTEA NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (user_id, job_id)
);

-- Jobs that came with a transaction and are not in the queue yet.
CREATE TABLE queue_outbox (
    user_id BYTEA NOT NULL,
    job_id BYTEA NOT NULL,
    kind TEXT NOT NULL,
    lane BIGINT NOT NULL,
    not_before_us BIGINT NOT NULL,
    claimed_us BIGINT NOT NULL, -- when a process began to put it; 0: none did
    payload BYTEA NOT NULL,
    PRIMARY KEY (user_id, job_id)
);
CREATE INDEX queue_outbox_next ON queue_outbox (claimed_us, job_id);
