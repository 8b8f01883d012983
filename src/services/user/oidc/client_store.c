/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/oidc/client_store.h"

#include "base/error.h"
#include "core/identity/access_token.h"

enum {
    CLIENT_GET,
    CLIENT_LIST,
    CLIENT_COUNT,
    CLIENT_ADD,
    CLIENT_PUT,
    CLIENT_REMOVE,
    CLIENT_REMOVE_GRANTS,
    CLIENT_REMOVE_CONSENTS,
    CLIENT_REMOVE_REQUESTS,
    _CLIENT_STATEMENT_MAX,
};

#define COLUMNS "metadata, created_us, changed_us, version"

const DbStatement client_store_statements[_CLIENT_STATEMENT_MAX] = {
    [CLIENT_GET] = {"client_get", "SELECT " COLUMNS " FROM user_oauth_client WHERE client_id = ?",
                    1, 4},
    [CLIENT_LIST] = {"client_list",
                     "SELECT " COLUMNS " FROM user_oauth_client ORDER BY client_id LIMIT ?", 1, 4},
    [CLIENT_COUNT] = {"client_count", "SELECT COUNT(*) FROM user_oauth_client", 0, 1},
    [CLIENT_ADD] = {"client_add",
                    "INSERT INTO user_oauth_client (client_id, metadata, created_us, changed_us, "
                    "version) VALUES (?, ?, ?, ?, 1) ON CONFLICT (client_id) DO NOTHING",
                    4, 0},
    [CLIENT_PUT] = {"client_put",
                    "UPDATE user_oauth_client SET metadata = ?, changed_us = ?, "
                    "version = version + 1 WHERE client_id = ? AND version = ?",
                    4, 0},
    [CLIENT_REMOVE] = {"client_remove", "DELETE FROM user_oauth_client WHERE client_id = ?", 1, 0},
    [CLIENT_REMOVE_GRANTS] = {"client_remove_grants", "DELETE FROM user_grant WHERE client_id = ?",
                              1, 0},
    [CLIENT_REMOVE_CONSENTS] = {"client_remove_consents",
                                "DELETE FROM user_client_consent WHERE client_id = ?", 1, 0},
    [CLIENT_REMOVE_REQUESTS] = {"client_remove_requests",
                                "DELETE FROM user_device_request WHERE client_id = ?", 1, 0},
};
const size_t client_store_statements_len = _CLIENT_STATEMENT_MAX;

static int run(DbTx *tx, int statement, const DbValue *params, uint64_t *ret_changed) {
    int r = db_exec(tx, &client_store_statements[statement], params, ret_changed);

    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int read_row(const DbValue *row, Arena *arena, StoredClient *ret_client) {
    _cleanup_(json_decrefp) json_t *json = json_loadb(row[0].bytes.ptr, row[0].bytes.len, 0, NULL);
    StoredClient client = {
        .created_us = row[1].integer, .changed_us = row[2].integer, .version = row[3].integer};

    if (!json || oauth_client_read(json, arena, &client.client) != NULL) {
        return err_trace(-EBADMSG);
    }
    *ret_client = client;
    return 0;
}

int client_store_get(DbTx *tx, Str id, Arena *arena, StoredClient *ret_client) {
    const DbValue *row;
    int r;

    if (id.len == 0 || id.len > CLIENT_ID_LEN_MAX) {
        return CLIENT_STORE_E_NONE;
    }
    r = db_query_one(tx, &client_store_statements[CLIENT_GET], (DbValue[]){DB_TEXT(id)}, arena,
                     &row);
    if (r != 0) {
        return r == DB_E_NONE ? CLIENT_STORE_E_NONE : err_trace(r < 0 ? r : -EIO);
    }
    return err_trace(read_row(row, arena, ret_client));
}

int client_store_list(DbTx *tx, Arena *arena, StoredClient **ret_clients, size_t *ret_n) {
    StoredClient *clients;
    DbRows rows;
    int r = db_query(tx, &client_store_statements[CLIENT_LIST],
                     (DbValue[]){DB_INT(CLIENT_STORE_MAX)}, CLIENT_STORE_MAX, arena, &rows);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    clients = arena_alloc(arena, (rows.n_rows + 1) * sizeof(*clients));
    for (size_t i = 0; i < rows.n_rows; i++) {
        r = read_row(db_rows_at(&rows, i, 0), arena, &clients[i]);
        if (r < 0) {
            return err_trace(r);
        }
    }
    *ret_clients = clients;
    *ret_n = rows.n_rows;
    return 0;
}

/* In the arena. */
static Str metadata(const OauthClient *client, Arena *arena) {
    _cleanup_(json_decrefp) json_t *json = oauth_client_write(client);
    char *text = json_dumps(json, JSON_COMPACT);
    Str copy;

    if (!text) {
        abort(); /* nothing but exhausted memory */
    }
    copy = (Str){arena_strdup(arena, str_from(text)), strlen(text)};
    free(text);
    return copy;
}

int client_store_add(DbTx *tx, Arena *arena, int64_t now_us, StoredClient *client) {
    const DbValue *row;
    uint64_t added;
    int r = db_query_one(tx, &client_store_statements[CLIENT_COUNT], NULL, arena, &row);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    if (row[0].integer >= CLIENT_STORE_MAX) {
        return CLIENT_STORE_E_FULL;
    }
    client->created_us = client->changed_us = now_us;
    client->version = 1;
    r = run(tx, CLIENT_ADD,
            (DbValue[]){DB_TEXT(str_from(client->client.id)),
                        DB_TEXT(metadata(&client->client, arena)), DB_INT(now_us), DB_INT(now_us)},
            &added);
    if (r < 0) {
        return err_trace(r);
    }
    return added > 0 ? 0 : CLIENT_STORE_E_EXISTS;
}

int client_store_put(DbTx *tx, Arena *arena, int64_t now_us, StoredClient *client) {
    uint64_t changed;
    int r = run(tx, CLIENT_PUT,
                (DbValue[]){DB_TEXT(metadata(&client->client, arena)), DB_INT(now_us),
                            DB_TEXT(str_from(client->client.id)), DB_INT(client->version)},
                &changed);

    if (r < 0) {
        return err_trace(r);
    }
    if (changed == 0) {
        return CLIENT_STORE_E_STALE;
    }
    client->changed_us = now_us;
    client->version++;
    return 0;
}

int client_store_remove(DbTx *tx, const char *id) {
    static const int rest[] = {CLIENT_REMOVE_GRANTS, CLIENT_REMOVE_CONSENTS,
                               CLIENT_REMOVE_REQUESTS};
    DbValue params[] = {DB_TEXT(str_from(id))};
    uint64_t removed;
    int r = run(tx, CLIENT_REMOVE, params, &removed);

    if (r == 0 && removed == 0) {
        return CLIENT_STORE_E_NONE;
    }
    for (size_t i = 0; i < ARRAY_LEN(rest) && r == 0; i++) {
        r = run(tx, rest[i], params, NULL);
    }
    return r < 0 ? err_trace(r) : 0;
}
