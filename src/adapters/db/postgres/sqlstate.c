/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/postgres/sqlstate.h"

#include "base/error.h"
#include "base/str.h"
#include "core/ports/db.h"

static const struct {
    const char *prefix; /* five characters, or a class; the first that fits counts */
    Verdict verdict;
    int r;
} readings[] = {
    {"23505", VERDICT_REFUSED, DB_E_EXISTS},
    {"23", VERDICT_REFUSED, DB_E_CONSTRAINT},
    {"40", VERDICT_CONFLICT, -EBUSY}, /* serialization, deadlock, replay on a standby */
    {"08", VERDICT_LOST, -ENOTCONN},
    {"57P", VERDICT_LOST, -ENOTCONN}, /* shutting down, or not yet up */
    /* A table has changed since the statement was prepared. */
    {"0A000", VERDICT_LOST, -EINVAL},
    {"26000", VERDICT_LOST, -EINVAL},
    {"57014", VERDICT_REFUSED, -EBUSY}, /* too slow, or cancelled */
    {"55P03", VERDICT_REFUSED, -EBUSY}, /* a lock was not free */
    {"53100", VERDICT_REFUSED, -ENOSPC},
    {"53", VERDICT_REFUSED, -ENOMEM},
    {"42501", VERDICT_REFUSED, -EACCES},
    {"22", VERDICT_REFUSED, -EINVAL},
    {"25", VERDICT_REFUSED, -EINVAL},
    /* Two servers that make the same table at once: the one that comes second tries again. */
    {"42P07", VERDICT_REFUSED, DB_E_EXISTS},
    {"42710", VERDICT_REFUSED, DB_E_EXISTS},
    {"42", VERDICT_REFUSED, -EINVAL},
};

Verdict sqlstate_read(const PGresult *result, bool read_only, int *ret_r) {
    Str state = str_from(PQresultErrorField(result, PG_DIAG_SQLSTATE));

    if (state.len == 0) { /* libpq's own: the connection is gone */
        *ret_r = -ENOTCONN;
        return VERDICT_LOST;
    }
    if (str_equal(state, str_lit("25006"))) { /* a write where only reads are taken */
        *ret_r = read_only ? -EROFS : -ENOTCONN;
        return read_only ? VERDICT_REFUSED : VERDICT_LOST; /* the primary is one no longer */
    }
    for (size_t i = 0; i < ARRAY_LEN(readings); i++) {
        if (str_starts_with(state, str_from(readings[i].prefix))) {
            *ret_r = readings[i].r;
            return readings[i].verdict;
        }
    }
    *ret_r = -EIO;
    return VERDICT_REFUSED;
}

bool sqlstate_is(const PGresult *result, const char *sqlstate) {
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return state && strcmp(state, sqlstate) == 0;
}
