/* SPDX-License-Identifier: Apache-2.0 */

/* Directives in the text of a migration. */

#include "adapters/db/migrations.h"
#include "base/error.h"

static const char directive_mark[] = "-- @";
static const char partition_mark[] = "-- @partition by hash (";
static const char create_mark[] = "CREATE TABLE ";
static const char word_bytes[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

/* Past a quoted text, a comment or one byte; at `at`, which is not the end. */
static const char *skip_one(const char *at) {
    const char *end = NULL;

    if (*at == '\'' || *at == '"') {
        end = strchr(at + 1, *at);
        return end ? end + 1 : at + strlen(at);
    }
    if (strncmp(at, "--", 2) == 0) {
        end = strchr(at, '\n');
        return end ? end + 1 : at + strlen(at);
    }
    if (strncmp(at, "/*", 2) == 0) {
        end = strstr(at + 2, "*/");
        return end ? end + 2 : at + strlen(at);
    }
    return at + 1;
}

/* The `;` that ends the statement at `at`, or NULL. */
static const char *statement_end(const char *at) {
    while (*at && *at != ';') {
        at = skip_one(at);
    }
    return *at ? at : NULL;
}

/* One CREATE TABLE after its directive; *at is moved past both. */
static int add_partitioned(const char **at, unsigned partitions, Buf *out,
                           const char **reterr_text) {
    Str columns, table;
    const char *create, *end;

    columns.ptr = *at + strlen(partition_mark);
    columns.len = strspn(columns.ptr, "abcdefghijklmnopqrstuvwxyz0123456789_, ");
    create = columns.ptr + columns.len;
    if (columns.len == 0 || strncmp(create, ")\n", 2) != 0) {
        *reterr_text = "a directive is not '-- @partition by hash (COLUMN, ...)'";
        return -EINVAL;
    }
    create += 2;
    table.ptr = create + strlen(create_mark);
    if (strncmp(create, create_mark, strlen(create_mark)) != 0 ||
        (table.len = strspn(table.ptr, word_bytes)) == 0 || !(end = statement_end(create))) {
        *reterr_text = "'-- @partition' stands in the line before a CREATE TABLE";
        return -EINVAL;
    }
    buf_add(out, create, (size_t)(end - create));
    if (partitions > 0) {
        buf_addf(out, " PARTITION BY HASH (%.*s)", (int)columns.len, columns.ptr);
    }
    buf_add_str(out, str_lit(";\n"));
    for (unsigned i = 0; i < partitions; i++) {
        buf_addf(out,
                 "CREATE TABLE %.*s_p%u PARTITION OF %.*s FOR VALUES WITH (MODULUS %u, "
                 "REMAINDER %u);\n",
                 (int)table.len, table.ptr, i, (int)table.len, table.ptr, partitions, i);
    }
    *at = end + 1;
    return 0;
}

int migration_sql(const Migration *migration, DbDialect dialect, unsigned partitions, Buf *out,
                  const char **reterr_text) {
    const char *at = migration->texts[dialect].sql;
    bool line_start = true;

    partitions = dialect == DB_DIALECT_POSTGRES ? partitions : 0;
    if (partitions > MIGRATION_PARTITIONS_MAX) {
        *reterr_text = "there are too many partitions";
        return -EINVAL;
    }
    while (*at) {
        const char *next;
        if (line_start && strncmp(at, partition_mark, strlen(partition_mark)) == 0) {
            int r = add_partitioned(&at, partitions, out, reterr_text);
            if (r < 0) {
                return err_trace(r);
            }
            line_start = false;
            continue;
        }
        if (strncmp(at, directive_mark, strlen(directive_mark)) == 0) {
            *reterr_text =
                "there is a directive ('-- @') that is not known, or not at a line's start";
            return -EINVAL;
        }
        next = skip_one(at);
        buf_add(out, at, (size_t)(next - at));
        line_start = next[-1] == '\n';
        at = next;
    }
    return 0;
}
