/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/postgres/connection.h"

#include "base/error.h"

#include <stdio.h>

#define OURS_MAX 13 /* keywords that conninfo_init() may add, and the end */

static void add(Conninfo *conninfo, const char *keyword, const char *value) {
    char *keyword_copy = strdup(keyword), *value_copy = strdup(value);

    if (!keyword_copy || !value_copy) {
        abort();
    }
    conninfo->keywords[conninfo->n] = keyword_copy;
    conninfo->values[conninfo->n++] = value_copy;
}

static const char *find(const Conninfo *conninfo, const char *keyword) {
    for (size_t i = 0; i < conninfo->n; i++) {
        if (strcmp(conninfo->keywords[i], keyword) == 0) {
            return conninfo->values[i];
        }
    }
    return NULL;
}

static void add_default(Conninfo *conninfo, const char *keyword, const char *value) {
    if (!find(conninfo, keyword)) {
        add(conninfo, keyword, value);
    }
}

/*
 * Settings of the session, in the start-up packet so that they cost no round trip. A hot standby
 * refuses SERIALIZABLE, which may be the database's default.
 */
static void set_options(Conninfo *conninfo, const ConninfoDefaults *defaults) {
    static const char repeatable[] = " -c default_transaction_isolation=repeatable\\ read";
    const char *own = find(conninfo, "options");
    _cleanup_(buf_done) Buf options = BUF_INIT;
    char *copy;

    buf_addf(&options, "-c statement_timeout=%u%s %s", defaults->statement_timeout_ms,
             defaults->replica ? repeatable : "", own ? own : "");
    if (!own) {
        add(conninfo, "options", buf_cstr(&options));
        return;
    }
    copy = strdup(buf_cstr(&options));
    if (!copy) {
        abort();
    }
    for (size_t i = 0; i < conninfo->n; i++) {
        if (strcmp(conninfo->keywords[i], "options") == 0) {
            free(conninfo->values[i]);
            conninfo->values[i] = copy;
        }
    }
}

static void set_defaults(Conninfo *conninfo, const ConninfoDefaults *defaults) {
    char number[32];

    snprintf(number, sizeof(number), "%u", (defaults->connect_timeout_ms + 999) / 1000);
    add_default(conninfo, "connect_timeout", number);
    /* Acknowledgements that stay out for as long as a statement may take mean a dead peer. */
    snprintf(number, sizeof(number), "%u", defaults->statement_timeout_ms);
    add_default(conninfo, "tcp_user_timeout", number);
    add_default(conninfo, "keepalives_idle", "10");
    add_default(conninfo, "keepalives_interval", "5");
    add_default(conninfo, "keepalives_count", "3");
    add_default(conninfo, "target_session_attrs", defaults->replica ? "any" : "read-write");
    add_default(conninfo, "application_name", "imagesync");
    add_default(conninfo, "client_encoding", "UTF8");
    /* Only where TLS is asked for: else libpq would go on without when the chain does not hold. */
    if (find(conninfo, "sslmode") && defaults->ca_file && defaults->ca_file[0]) {
        add_default(conninfo, "sslrootcert", defaults->ca_file);
    }
    set_options(conninfo, defaults);
}

int conninfo_init(Conninfo *conninfo, const char *url, const ConninfoDefaults *defaults) {
    char *error = NULL;
    PQconninfoOption *parsed = PQconninfoParse(url, &error);
    size_t n = 0;

    PQfreemem(error); /* it quotes the address, in which a password may stand */
    if (!parsed) {
        return -EINVAL;
    }
    for (const PQconninfoOption *option = parsed; option->keyword; option++) {
        n++;
    }
    *conninfo = (Conninfo){.keywords = calloc(n + OURS_MAX, sizeof(char *)),
                           .values = calloc(n + OURS_MAX, sizeof(char *))};
    if (!conninfo->keywords || !conninfo->values) {
        abort();
    }
    for (const PQconninfoOption *option = parsed; option->keyword; option++) {
        if (option->val) {
            add(conninfo, option->keyword, option->val);
        }
    }
    PQconninfoFree(parsed);
    set_defaults(conninfo, defaults);
    return 0;
}

void conninfo_done(Conninfo *conninfo) {
    for (size_t i = 0; i < conninfo->n; i++) {
        free(conninfo->keywords[i]);
        explicit_bzero(conninfo->values[i], strlen(conninfo->values[i]));
        free(conninfo->values[i]);
    }
    free(conninfo->keywords);
    free(conninfo->values);
    *conninfo = (Conninfo){0};
}
