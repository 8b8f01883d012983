/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The table user_oauth_client: clients that admins keep, beside those of the configuration. It is
 * asked each time, so that each process knows at once what another one has written.
 */

#include "core/ports/db.h"
#include "services/user/oidc/clients.h"

#define CLIENT_STORE_MAX 1000

typedef struct StoredClient {
    OauthClient client;
    int64_t created_us, changed_us, version; /* version: from 1 on */
} StoredClient;

enum {
    CLIENT_STORE_E_NONE = 1,
    CLIENT_STORE_E_EXISTS,
    CLIENT_STORE_E_STALE, /* another version is there */
    CLIENT_STORE_E_FULL,
};

extern const DbStatement client_store_statements[];
extern const size_t client_store_statements_len;

/* 0 or CLIENT_STORE_E_NONE. */
int client_store_get(DbTx *tx, Str id, Arena *arena, StoredClient *ret_client);
/* By id; in the arena. */
int client_store_list(DbTx *tx, Arena *arena, StoredClient **ret_clients, size_t *ret_n);
/* The times and version 1 are filled in here. 0, CLIENT_STORE_E_EXISTS or CLIENT_STORE_E_FULL. */
int client_store_add(DbTx *tx, Arena *arena, int64_t now_us, StoredClient *client);
/* client->version is the one that it takes the place of, and is counted up. 0 or
 * CLIENT_STORE_E_STALE. */
int client_store_put(DbTx *tx, Arena *arena, int64_t now_us, StoredClient *client);
/* With all that people let it do. 0 or CLIENT_STORE_E_NONE. */
int client_store_remove(DbTx *tx, const char *id);
