/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/queue/sql/statements.h"

#define BY_ID    " WHERE user_id = ? AND job_id = ?"
#define BY_LEASE BY_ID " AND state = 2 AND lease = ?"

const DbStatement queue_statements[_QUEUE_STATEMENTS_MAX] = {
    [JOB_PUT] = {"queue_job_put",
                 "INSERT INTO queue_job (user_id, job_id, kind, state, lane, counts_as, turn,"
                 " put_us, since_us, due_us, attempts, lease, worker, reason, payload)"
                 " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '', '', ?) ON CONFLICT DO NOTHING",
                 11, 0},
    [PAYLOAD_PUT] = {"queue_payload_put",
                     "INSERT INTO queue_payload (user_id, job_id, payload) VALUES (?, ?, ?)"
                     " ON CONFLICT DO NOTHING",
                     3, 0},
    [HEAD_TURN] = {"queue_head_turn",
                   "SELECT turn FROM queue_job WHERE kind = ? AND counts_as = ? AND state = 0"
                   " ORDER BY turn LIMIT 1",
                   2, 1},
    [USER_TURN] = {"queue_user_turn",
                   "SELECT turn FROM queue_job WHERE user_id = ? AND kind = ? AND counts_as = ?"
                   " AND state = 0 ORDER BY turn DESC LIMIT 1",
                   3, 1},
    [HEAD_LANE] = {"queue_head_lane",
                   "SELECT counts_as FROM queue_job WHERE kind = ? AND state = 0"
                   " ORDER BY counts_as LIMIT 1",
                   1, 1},
    [JOB_LEASE] = {"queue_job_lease",
                   "UPDATE queue_job SET state = 2, since_us = ?, due_us = ?, lease = ?,"
                   " worker = ?, attempts = attempts + 1" BY_ID,
                   6, 0},
    [PAYLOAD_GET] = {"queue_payload_get", "SELECT payload FROM queue_payload" BY_ID, 2, 1},
    [FIRST_DUE] = {"queue_first_due", "SELECT due_us FROM queue_job ORDER BY due_us LIMIT 1", 0, 1},
    [LEASES_END] = {"queue_leases_end",
                    "UPDATE queue_job SET due_us = since_us WHERE state = 2 AND due_us > since_us",
                    0, 0},
    [JOB_READY] = {"queue_job_ready",
                   "UPDATE queue_job SET state = 0, counts_as = ?, turn = ?, since_us = ?,"
                   " due_us = ?, attempts = ?, reason = ?" BY_ID,
                   8, 0},
    [JOB_DIE] = {"queue_job_die",
                 "UPDATE queue_job SET state = 3, since_us = ?, due_us = ?, reason = ?" BY_ID, 5,
                 0},
    [JOB_SET_BACK] = {"queue_job_set_back", "UPDATE queue_job SET since_us = ?, due_us = ?" BY_ID,
                      4, 0},
    [LEASE_DONE] = {"queue_lease_done", "DELETE FROM queue_job" BY_LEASE, 3, 0},
    [PAYLOAD_DONE] = {"queue_payload_done", "DELETE FROM queue_payload" BY_ID, 2, 0},
    [LEASE_EXTEND] = {"queue_lease_extend",
                      "UPDATE queue_job SET since_us = ?, due_us = ?" BY_LEASE, 5, 0},
    [LEASE_DELAY] = {"queue_lease_delay",
                     "UPDATE queue_job SET state = 1, since_us = ?, due_us = ?,"
                     " reason = ?" BY_LEASE,
                     6, 0},
    [LEASE_DIE] = {"queue_lease_die",
                   "UPDATE queue_job SET state = 3, since_us = ?, due_us = ?,"
                   " reason = ?" BY_LEASE,
                   6, 0},
    [DEAD_LIST] = {"queue_dead_list",
                   "SELECT user_id, job_id, kind, reason, lane, attempts, since_us FROM queue_job"
                   " WHERE state = 3 ORDER BY since_us, job_id LIMIT ?",
                   1, 7},
    [DEAD_GET] = {"queue_dead_get", "SELECT kind, lane FROM queue_job" BY_ID " AND state = 3", 2,
                  2},
    [DEAD_REMOVE] = {"queue_dead_remove", "DELETE FROM queue_job" BY_ID " AND state = 3", 2, 0},
    [JOB_ERASE] = {"queue_job_erase", "DELETE FROM queue_job WHERE user_id = ?", 1, 0},
    [PAYLOAD_ERASE] = {"queue_payload_erase", "DELETE FROM queue_payload WHERE user_id = ?", 1, 0},
    [COUNT] = {"queue_count", "SELECT state, count(*), min(put_us) FROM queue_job GROUP BY state",
               0, 3},
};

#define NEXT                                                                                       \
    "SELECT user_id, job_id, lane, counts_as, turn, attempts, payload FROM queue_job"              \
    " WHERE kind = ? AND state = 0 ORDER BY counts_as, turn, job_id LIMIT 1"
#define DUE                                                                                        \
    "SELECT user_id, job_id, kind, state, counts_as, attempts, worker, reason FROM queue_job"      \
    " WHERE due_us <= ? ORDER BY due_us LIMIT 64"
/* What a caller delayed to a moment of the clock stays. */
#define AHEAD                                                                                      \
    "SELECT user_id, job_id, since_us, due_us FROM queue_job WHERE since_us > ? AND state < 3"     \
    " AND (state <> 1 OR attempts > 0) LIMIT 256"
#define LOCKED " FOR UPDATE SKIP LOCKED"

const DbStatement queue_choices[_DB_DIALECT_MAX][_QUEUE_CHOICES_MAX] = {
    [DB_DIALECT_SQLITE] =
        {
            [JOB_NEXT] = {"queue_job_next", NEXT, 1, 7},
            [JOBS_DUE] = {"queue_jobs_due", DUE, 1, 8},
            [JOBS_AHEAD] = {"queue_jobs_ahead", AHEAD, 1, 4},
        },
    [DB_DIALECT_POSTGRES] =
        {
            [JOB_NEXT] = {"queue_job_next", NEXT LOCKED, 1, 7},
            [JOBS_DUE] = {"queue_jobs_due", DUE LOCKED, 1, 8},
            [JOBS_AHEAD] = {"queue_jobs_ahead", AHEAD LOCKED, 1, 4},
        },
};
