/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sync/mutation.h"

#include "base/error.h"

enum {
    MUTATION_GET,
    MUTATION_ADD,
    _MUTATION_STATEMENT_MAX,
};

const DbStatement mutation_statements[_MUTATION_STATEMENT_MAX] = {
    [MUTATION_GET] = {"mutation_get",
                      "SELECT request_hash, status, version, body_sealed FROM sync_mutation"
                      " WHERE user_id = ? AND mutation_id = ?",
                      2, 4},
    [MUTATION_ADD] = {"mutation_add",
                      "INSERT INTO sync_mutation (user_id, mutation_id, request_hash, status,"
                      " version, body_sealed, created_us) VALUES (?, ?, ?, ?, ?, ?, ?)",
                      7, 0},
};
const size_t mutation_statements_len = _MUTATION_STATEMENT_MAX;

static const char body_column[] = "sync_mutation.body";

int mutation_of(SyncCall *call, Mutation *ret_mutation) {
    const char *header = http_request_header(call->request, "Idempotency-Key");
    const char *match = http_request_header(call->request, "If-Match");
    _cleanup_(buf_done) Buf request = BUF_INIT;
    Str text = str_trim(str_from(header));

    if (!header) {
        return MUTATION_E_NONE;
    }
    /* As a string of Structured Fields, as the draft of the header has it, or bare. */
    if (text.len > 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"') {
        text = (Str){text.ptr + 1, text.len - 2};
    }
    if (uuid_parse(text, &ret_mutation->id) < 0) {
        return -EINVAL;
    }
    buf_addf(&request, "%s %s %s\n", http_request_method(call->request),
             http_request_path(call->request), match ? match : "");
    http_request_query_write(call->request, &request);
    buf_addf(&request, "\n");
    buf_add_str(&request, http_request_body(call->request));
    library_hash(&call->key, "imagesync/mutation", buf_str(&request), ret_mutation->request_hash);
    return 0;
}

static int read_body(SyncCall *call, const Mutation *mutation, Str sealed) {
    Str text;
    int r =
        column_open(&call->key, body_column, uuid_str(&mutation->id), sealed, call->arena, &text);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EBADMSG);
    }
    if (text.len > 0) {
        json_decref(call->body);
        call->body = json_loadb(text.ptr, text.len, 0, NULL);
        return call->body ? 0 : err_trace(-EBADMSG);
    }
    return 0;
}

int mutation_recall(DbTx *tx, SyncCall *call, const Mutation *mutation) {
    const DbValue *row;
    int r = db_query_one(
        tx, &mutation_statements[MUTATION_GET],
        (DbValue[]){DB_BLOB(uuid_str(&call->caller.user_id)), DB_BLOB(uuid_str(&mutation->id))},
        call->arena, &row);

    if (r != 0) {
        return r == DB_E_NONE ? MUTATION_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    if (!str_equal(row[0].bytes,
                   (Str){(const char *)mutation->request_hash, sizeof(mutation->request_hash)})) {
        return MUTATION_E_REUSED;
    }
    call->status = (unsigned)row[1].integer;
    call->version = row[2].integer;
    return read_body(call, mutation, row[3].bytes);
}

int mutation_keep(DbTx *tx, SyncCall *call, const Mutation *mutation) {
    _cleanup_(freep) char *body = call->body ? json_dumps(call->body, JSON_COMPACT) : NULL;
    Str sealed =
        column_seal(&call->key, body_column, uuid_str(&mutation->id), str_from(body), call->arena);
    int r = db_exec(
        tx, &mutation_statements[MUTATION_ADD],
        (DbValue[]){
            DB_BLOB(uuid_str(&call->caller.user_id)), DB_BLOB(uuid_str(&mutation->id)),
            DB_BLOB(((Str){(const char *)mutation->request_hash, sizeof(mutation->request_hash)})),
            DB_INT(call->status), DB_INT(call->version), DB_BLOB(sealed), DB_INT(call->now_us)},
        NULL);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}
