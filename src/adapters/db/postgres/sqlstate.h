/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>

/* What an error of the server means for the transaction it hit, which is over in any case. */
typedef enum Verdict {
    VERDICT_REFUSED,  /* the same again would give the same */
    VERDICT_CONFLICT, /* to be run again */
    VERDICT_LOST,     /* the same, on another connection */
} Verdict;

/*
 * Reads the SQLSTATE (PostgreSQL 15 manual, appendix A). *ret_r is what the statement returns:
 * DB_E_EXISTS, DB_E_CONSTRAINT or a fault.
 */
Verdict sqlstate_read(const PGresult *result, bool read_only, int *ret_r);

/* Whether `result` is an error of this SQLSTATE. */
bool sqlstate_is(const PGresult *result, const char *sqlstate);
