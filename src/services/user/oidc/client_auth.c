/* SPDX-License-Identifier: Apache-2.0 */

/* Which client calls, and whether it is the one (RFC 6749 2.3). */

#include "base/error.h"
#include "services/user/oidc/client_store.h"
#include "services/user/oidc/oidc.h"

typedef struct Find {
    UserCall *call;
    Str id;
    StoredClient client;
} Find;

static int find_stored(DbTx *tx, void *userdata) {
    Find *find = userdata;

    return client_store_get(tx, find->id, find->call->arena, &find->client);
}

int oidc_find_client(UserCall *call, Str id, const OauthClient **ret_client) {
    const OauthClient *known = oauth_clients_find(call->service->oidc->clients, id);
    Find find = {.call = call, .id = id};
    OauthClient *copy;
    int r;

    if (known || !str_is_utf8(id) || memchr(id.ptr, '\0', id.len)) {
        *ret_client = known;
        return 0;
    }
    r = db_read(call->service->options.db, NULL, find_stored, &find);
    if (r < 0) {
        return err_trace(r);
    }
    copy = arena_alloc(call->arena, sizeof(*copy));
    *copy = find.client.client;
    *ret_client = r == 0 ? copy : NULL;
    return 0;
}

/* The value is form-urlencoded inside the base64 (RFC 6749 2.3.1). */
static const char *unescape(UserCall *call, Str text) {
    Form form;
    const char *detail;
    Str body = str_from(arena_printf(call->arena, "v=%s", arena_strdup(call->arena, text)));

    if (memchr(text.ptr, '&', text.len) ||
        form_parse("application/x-www-form-urlencoded", body, call->arena, &form, &detail) != 0 ||
        form.n_fields != 1) {
        return "";
    }
    return arena_strdup(call->arena, form.fields[0].value);
}

typedef struct Credentials {
    const char *id, *secret; /* NULL: none */
    bool basic;
} Credentials;

static bool read_basic(UserCall *call, const char *authorization, Credentials *ret_credentials) {
    static const Str scheme = {"basic ", 6};
    Str value = str_trim(str_from(authorization)), decoded;
    const char *colon;

    if (value.len <= scheme.len || !str_equal_nocase((Str){value.ptr, scheme.len}, scheme) ||
        base64_decode(str_trim((Str){value.ptr + scheme.len, value.len - scheme.len}), call->arena,
                      &decoded) < 0 ||
        decoded.len == 0 || memchr(decoded.ptr, '\0', decoded.len) ||
        !(colon = memchr(decoded.ptr, ':', decoded.len))) {
        return false;
    }
    ret_credentials->id = unescape(call, (Str){decoded.ptr, (size_t)(colon - decoded.ptr)});
    ret_credentials->secret =
        unescape(call, (Str){colon + 1, decoded.len - (size_t)(colon + 1 - decoded.ptr)});
    ret_credentials->basic = true;
    return true;
}

const OauthClient *oidc_client(UserCall *call, const Form *form) {
    const char *authorization = http_request_header(call->request, "Authorization");
    Credentials sent = {oidc_field(call, form, "client_id"),
                        oidc_field(call, form, "client_secret"), false};
    const char *id = sent.id;
    const OauthClient *client;
    int r;

    if (authorization) {
        if (sent.secret) {
            oidc_respond_error(call, 400, "invalid_request", "Authenticate in one way only.");
            return NULL;
        }
        if (!read_basic(call, authorization, &sent) || (id && strcmp(id, sent.id) != 0)) {
            oidc_respond_error(call, 401, "invalid_client", NULL);
            return NULL;
        }
    }
    if (!sent.id) {
        oidc_respond_error(call, 401, "invalid_client", "Say which client you are.");
        return NULL;
    }
    r = oidc_find_client(call, str_from(sent.id), &client);
    if (r < 0) {
        oidc_respond_fault(call, r);
        return NULL;
    }
    if (!client || (client->confidential
                        ? !sent.secret || !oauth_client_secret_is(client, str_from(sent.secret))
                        : sent.secret && sent.secret[0])) {
        oidc_respond_error(call, 401, "invalid_client", NULL);
        return NULL;
    }
    return client;
}
