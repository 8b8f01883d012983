/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/ports/db.h"

/* Of queue_job.state. */
enum {
    STATE_READY,
    STATE_DELAYED,
    STATE_LEASED,
    STATE_DEAD,
    _STATE_MAX,
};

#define NEVER_US         INT64_MAX
#define INLINE_LEN_MAX   2048
#define DUE_AT_ONCE      64
#define SET_BACK_AT_ONCE 256

enum {
    JOB_PUT,
    PAYLOAD_PUT,
    HEAD_TURN,
    USER_TURN,
    HEAD_LANE,
    JOB_LEASE,
    PAYLOAD_GET,
    FIRST_DUE,
    LEASES_END,
    JOB_READY,
    JOB_DIE,
    JOB_SET_BACK,
    LEASE_DONE,
    PAYLOAD_DONE,
    LEASE_EXTEND,
    LEASE_DELAY,
    LEASE_DIE,
    DEAD_LIST,
    DEAD_GET,
    DEAD_REMOVE,
    JOB_ERASE,
    PAYLOAD_ERASE,
    COUNT,
    _QUEUE_STATEMENTS_MAX,
};

extern const DbStatement queue_statements[_QUEUE_STATEMENTS_MAX];

/* Those that choose rows to change: on PostgreSQL they pass over what others have locked. */
enum {
    JOB_NEXT,
    JOBS_DUE,
    JOBS_AHEAD,
    _QUEUE_CHOICES_MAX,
};

extern const DbStatement queue_choices[_DB_DIALECT_MAX][_QUEUE_CHOICES_MAX];
