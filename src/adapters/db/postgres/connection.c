/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/postgres/connection.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>

static int lost(PgConnection *connection) {
    connection->broken = true;
    return -ECONNRESET;
}

/* In place of libpq's own, which prints: warnings are for whoever asked, the rest for nobody. */
static void on_notice(void *userdata, const PGresult *notice) {
    PgConnection *connection = userdata;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);

    if (severity && strcmp(severity, "WARNING") == 0) {
        connection->warned = true;
    }
}

/* What an operator has to mend, or NULL. libpq tells it in words alone, of each host that it tried;
 * they are not translated, as this program chooses no language. */
static const char *reason_of(const char *error) {
    static const struct {
        const char *says, *reason;
    } reasons[] = {
        {"certificate verify failed",
         "its certificate has expired or is not of an authority that is trusted: name the "
         "authority's PEM file with sslrootcert in the address, or with trusted-certificates"},
        {"does not match host name",
         "its certificate is for another host name: give the name that the certificate has"},
        {"root certificate",
         "there is no file of authorities to trust: name one with sslrootcert in the address, or "
         "with trusted-certificates"},
        {"does not support SSL", "it does not speak TLS, which sslmode in the address asks for"},
        {"authentication failed", "it refuses the user or the password: look at database"},
        {"no password supplied", "it wants a password: look at database"},
        {"pg_hba.conf", "its pg_hba.conf does not let this user in, or not without TLS: look at "
                        "sslmode in the address"},
    };

    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (strstr(error, reasons[i].says)) {
            return reasons[i].reason;
        }
    }
    return NULL;
}

int pg_connection_new(const Conninfo *conninfo, Trouble *trouble, PgConnection **ret_connection) {
    _cleanup_(pg_connection_freep) PgConnection *connection = calloc(1, sizeof(*connection));

    if (!connection) {
        return -ENOMEM;
    }
    connection->pg = PQconnectdbParams((const char *const *)conninfo->keywords,
                                       (const char *const *)conninfo->values, 0);
    if (!connection->pg) {
        return -ENOMEM;
    }
    if (PQstatus(connection->pg) != CONNECTION_OK) {
        /* libpq's message names hosts and users but no password. */
        const char *error = PQerrorMessage(connection->pg), *reason = reason_of(error);
        log_debug("database not reached", LOG_STR("error", error));
        if (reason) {
            trouble_set(trouble, reason);
        }
        return -ENOTCONN;
    }
    trouble_set(trouble, NULL);
    PQsetNoticeReceiver(connection->pg, on_notice, connection);
    if (PQsetnonblocking(connection->pg, 1) != 0 || !PQenterPipelineMode(connection->pg)) {
        return -ENOTCONN;
    }
    *ret_connection = TAKE_PTR(connection);
    return 0;
}

PgConnection *pg_connection_free(PgConnection *connection) {
    if (connection) {
        PQfinish(connection->pg);
        free(connection->prepared);
        free(connection);
    }
    return NULL;
}

bool pg_connection_is_alive(PgConnection *connection) {
    struct pollfd fd = {.fd = PQsocket(connection->pg), .events = POLLIN | POLLRDHUP};

    if (connection->broken || fd.fd < 0 || poll(&fd, 1, 0) < 0) {
        return false;
    }
    if (fd.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) {
        return false;
    }
    if (fd.revents & POLLIN && !PQconsumeInput(connection->pg)) {
        return false;
    }
    return PQstatus(connection->pg) == CONNECTION_OK;
}

int pg_connection_send(PgConnection *connection, const char *sql) {
    return PQsendQueryParams(connection->pg, sql, 0, NULL, NULL, NULL, NULL, 1) ? 0
                                                                                : lost(connection);
}

int pg_connection_send_prepare(PgConnection *connection, const char *name, const char *sql) {
    return PQsendPrepare(connection->pg, name, sql, 0, NULL) ? 0 : lost(connection);
}

int pg_connection_send_describe(PgConnection *connection, const char *name) {
    return PQsendDescribePrepared(connection->pg, name) ? 0 : lost(connection);
}

int pg_connection_send_execute(PgConnection *connection, const char *name) {
    return PQsendQueryPrepared(connection->pg, name, 0, NULL, NULL, NULL, 1) ? 0 : lost(connection);
}

int pg_connection_send_sync(PgConnection *connection) {
    return PQpipelineSync(connection->pg) ? 0 : lost(connection);
}

void results_done(Results *results) {
    for (size_t i = 0; i < results->n; i++) {
        PQclear(results->at[i]);
    }
    *results = RESULTS_INIT;
}

/* Until a result can be taken. `deadline_ms` 0: for ever. */
static int wait_result(PgConnection *connection, uint64_t deadline_ms) {
    for (;;) {
        int unsent = PQflush(connection->pg);
        uint64_t now = clock_mono_ms();
        struct pollfd fd = {.fd = PQsocket(connection->pg), .events = POLLIN};
        int timeout = -1;

        if (!PQisBusy(connection->pg)) {
            return 0;
        }
        if (unsent < 0 || fd.fd < 0) {
            return lost(connection);
        }
        if (deadline_ms > 0) {
            timeout = now >= deadline_ms ? 0 : (int)MIN(deadline_ms - now, (uint64_t)INT_MAX);
        }
        fd.events |= unsent ? POLLOUT : 0;
        switch (poll(&fd, 1, timeout)) {
        case -1:
            if (errno != EINTR) {
                return lost(connection);
            }
            continue;
        case 0:
            return lost(connection); /* what it would still say can no longer be told apart */
        default:
            if (fd.revents & ~POLLOUT && !PQconsumeInput(connection->pg)) {
                return lost(connection);
            }
        }
    }
}

static bool is_error(const PGresult *result) {
    return PQresultStatus(result) == PGRES_FATAL_ERROR;
}

int pg_connection_collect(PgConnection *connection, unsigned n_syncs, unsigned timeout_ms,
                          Results *results) {
    uint64_t deadline = timeout_ms > 0 ? clock_mono_ms() + timeout_ms : 0;
    bool ended = false; /* the last command's results */

    results_done(results);
    for (unsigned wanted = connection->n_owed + n_syncs; wanted > 0;) {
        PGresult *result;
        int r = wait_result(connection, deadline);

        if (r < 0) {
            return err_trace(r);
        }
        result = PQgetResult(connection->pg);
        if (!result) {
            if (ended) {
                return err_trace(lost(connection)); /* nothing more will come */
            }
            ended = true;
            continue;
        }
        ended = false;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            wanted--;
            connection->n_owed -= connection->n_owed > 0 ? 1 : 0;
            PQclear(result);
        } else if (connection->n_owed > 0) {
            connection->broken |= is_error(result); /* the session was ended, most likely */
            PQclear(result);
        } else {
            assert(results->n < RESULTS_MAX);
            results->at[results->n++] = result;
        }
        if (connection->broken || PQstatus(connection->pg) != CONNECTION_OK) {
            return err_trace(lost(connection));
        }
    }
    return 0;
}

int pg_connection_leave(PgConnection *connection) {
    connection->n_owed++;
    return PQflush(connection->pg) < 0 ? lost(connection) : 0;
}

int pg_connection_script(PgConnection *connection, const char *sql, Results *results) {
    PGresult *result;

    results_done(results);
    if (!PQexitPipelineMode(connection->pg) || !PQsendQuery(connection->pg, sql)) {
        return err_trace(lost(connection));
    }
    for (;;) {
        int r = wait_result(connection, 0);
        if (r < 0) {
            return err_trace(r);
        }
        result = PQgetResult(connection->pg);
        if (!result) {
            break;
        }
        results_done(results);
        *results = (Results){.at = {result}, .n = 1};
    }
    if (PQstatus(connection->pg) != CONNECTION_OK || !PQenterPipelineMode(connection->pg)) {
        return err_trace(lost(connection));
    }
    return 0;
}
