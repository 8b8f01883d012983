/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/privacy/erasure.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "services/user/access.h"
#include "services/user/api_key_store.h"
#include "services/user/audit_check.h"
#include "services/user/oidc/oidc.h"
#include "services/user/owed_mail_store.h"
#include "services/user/owed_mails.h"
#include "services/user/privacy/erasure_mail.h"
#include "services/user/privacy/erasure_store.h"
#include "services/user/privacy/receipt.h"
#include "services/user/privacy/tables.h"
#include "services/user/session_store.h"
#include "services/user/sessions.h"

#define BATCH 50

enum {
    ERASE_E_CALLED_OFF = 1, /* or another server was faster */
    ERASE_E_UNDER_WAY,
};

static int end_all(DbTx *tx, ErasureRequest *request) {
    int r = session_store_remove_all(tx, &request->user_id, NULL, request->arena,
                                     &request->session_ids, &request->n_sessions);

    if (r == 0) {
        r = api_key_store_ids(tx, &request->user_id, request->arena, &request->key_ids,
                              &request->n_keys);
    }
    return err_trace(r);
}

/* Rows that a backup brought back: nobody can sign in to them, so there is nobody to wait for. */
static int request_keyless(DbTx *tx, ErasureRequest *request) {
    int r;

    request->erase_us = request->now_us;
    r = erasure_store_put_keyless(tx, &request->user_id, request->erase_us);
    return r == ERASURE_STORE_E_NONE ? ERASURE_E_NONE : err_trace(r);
}

int erasure_request(DbTx *tx, const Vault *vault, ErasureRequest *request) {
    _cleanup_(account_done) Account account = {0};
    bool other_admin = true;
    int r = account_store_get(tx, vault, &request->user_id, request->arena, &account);

    if (r != 0) {
        return r < 0 ? err_trace(r) : request_keyless(tx, request);
    }
    if (account.role == ACCOUNT_ROLE_ADMIN) {
        r = erasure_store_other_admin(tx, &request->user_id, request->arena, &other_admin);
    }
    if (r == 0 && !other_admin) {
        return ERASURE_E_LAST_ADMIN;
    }
    if (account.status == ACCOUNT_ACTIVE) {
        account.status = ACCOUNT_ERASING;
    }
    account.erase_us = request->erase_us;
    request->event.action = "erasure.asked";
    if (r < 0 || (r = account_store_put(tx, vault, request->arena, &account)) != 0 ||
        (r = erasure_store_put(tx, &request->user_id, request->now_us)) != 0 ||
        (r = end_all(tx, request)) != 0 ||
        (r = audit_append(tx, vault, &account.key, request->now_us, request->arena,
                          &request->event)) != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    request->email = account.email;
    return 0;
}

int erasure_call_off(DbTx *tx, const Vault *vault, Arena *arena, Account *account, int64_t now_us,
                     const AuditEvent *from) {
    AuditEvent event = *from;
    int r = erasure_store_remove(tx, &account->key.user_id);

    account->status = ACCOUNT_ACTIVE;
    account->erase_us = 0;
    event.action = "erasure.called_off";
    event.subject = NULL;
    if (r == 0) {
        r = audit_append(tx, vault, &account->key, now_us, arena, &event);
    }
    return err_trace(r);
}

/* One user. What a transaction gives is set anew when it is run again. */
typedef struct Erasing {
    UserService *service;
    Arena *arena;
    int64_t now_us;
    Uuid user_id;
    json_t *library_rows; /* how many of each table of the sync service */

    const char *email; /* NULL: cannot be read any more */
    ErasureRequest ended;
    char receipt_id[RECEIPT_ID_LEN + 1];
    const char *receipt;
} Erasing;

/* The address, as long as there is a key to read it with. */
static int read_email(DbTx *tx, Erasing *erasing) {
    _cleanup_(account_done) Account account = {0};
    int r =
        account_store_get(tx, erasing->service->vault, &erasing->user_id, erasing->arena, &account);

    erasing->email = r == 0 ? account.email : NULL;
    return r < 0 ? err_trace(r) : 0;
}

static int note(DbTx *tx, const Erasing *erasing, const char *action, const char *subject) {
    const Vault *vault = erasing->service->vault;
    const AuditEvent event = {.action = action, .subject = subject};

    return audit_append(tx, vault, vault_service_key(vault), erasing->now_us, erasing->arena,
                        &event);
}

static int add_receipt(DbTx *tx, Erasing *erasing, int64_t asked_us, const json_t *rows,
                       const char **ret_hash) {
    UserService *service = erasing->service;
    _cleanup_(jwk_unrefp) Jwk *key =
        signing_keys_current(service->oidc->keys, JWK_ALG_ES256, erasing->now_us);
    const Receipt receipt = {.issuer = service->public_url,
                             .user_id = erasing->user_id,
                             .asked_us = asked_us,
                             .erased_us = erasing->now_us,
                             .rows = rows};

    return receipt_add(tx, service->vault, key, &receipt, erasing->arena, erasing->receipt_id,
                       &erasing->receipt, ret_hash);
}

/* From now on it is owed: whoever is erased cannot ask for another. */
static int owe_mail(DbTx *tx, const Erasing *erasing) {
    const UserService *service = erasing->service;
    MailMessage mail = {.to = erasing->email};

    if (!erasing->email) {
        return 0;
    }
    erasure_mail_done(service, erasing->receipt_id, erasing->receipt, erasing->arena, &mail);
    return owed_mail_store_add(tx, service->vault, &mail, erasing->now_us, erasing->arena);
}

static int begin(DbTx *tx, void *userdata) {
    const Erasing *erasing = userdata;
    int r = erasure_store_begin(tx, &erasing->user_id, erasing->now_us);

    return r == ERASURE_STORE_E_NONE ? ERASE_E_CALLED_OFF : err_trace(r);
}

/* 0; ERASE_E_UNDER_WAY: the server ends before it is; or a fault. */
static int erase_library(Erasing *erasing, Housekeeping *housekeeping) {
    LibraryService *libraries = erasing->service->libraries;
    int r = libraries ? LIBRARY_SERVICE_E_MORE : 0;

    if (!libraries && erasing->service->sync_asks) {
        log_error("a library cannot be erased: tell the user part where the sync part is, with "
                  "--sync-service");
        return err_trace(-ENOTCONN);
    }
    while (r == LIBRARY_SERVICE_E_MORE) {
        if (!housekeeping_goes_on(housekeeping)) {
            return ERASE_E_UNDER_WAY;
        }
        r = library_service_erase(libraries, &erasing->user_id, erasing->library_rows);
    }
    return err_trace(r);
}

static int erase_account(DbTx *tx, void *userdata) {
    Erasing *erasing = userdata;
    _cleanup_(json_decrefp) json_t *rows = json_copy(erasing->library_rows);
    int64_t erase_us, asked_us;
    const char *receipt_hash;
    int r = erasure_store_get(tx, &erasing->user_id, erasing->arena, &erase_us, &asked_us);

    if (r < 0) {
        return err_trace(r);
    }
    if (r == ERASURE_STORE_E_NONE || erase_us > erasing->now_us) {
        return ERASE_E_CALLED_OFF;
    }
    erasing->ended = (ErasureRequest){.user_id = erasing->user_id, .arena = erasing->arena};
    if ((r = read_email(tx, erasing)) < 0 || (r = end_all(tx, &erasing->ended)) < 0 ||
        (r = privacy_tables_erase(tx, &erasing->user_id, rows)) < 0 ||
        (r = add_receipt(tx, erasing, asked_us, rows, &receipt_hash)) < 0 ||
        (r = note(tx, erasing, AUDIT_ACTION_ERASED,
                  audit_erased_subject(&erasing->user_id, erasing->arena))) < 0 ||
        (r = note(tx, erasing, "erasure.receipt", receipt_hash)) < 0 ||
        (r = owe_mail(tx, erasing)) < 0) {
        return err_trace(r);
    }
    return 0;
}

static void forget(const Erasing *erasing) {
    UserCall call = {.service = erasing->service, .arena = erasing->arena};

    sessions_forget(&call, erasing->ended.session_ids, erasing->ended.n_sessions);
    user_access_forget(erasing->service, &erasing->user_id, erasing->ended.key_ids,
                       erasing->ended.n_keys);
}

static int erase_user(UserService *service, Housekeeping *housekeeping, const Uuid *user_id) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(json_decrefp) json_t *library_rows = json_object();
    Erasing erasing = {.service = service,
                       .arena = arena,
                       .now_us = clock_unix_us(),
                       .user_id = *user_id,
                       .library_rows = library_rows};
    int r = db_write(service->options.db, begin, &erasing, NULL);

    if (r == 0) {
        r = erase_library(&erasing, housekeeping);
    }
    if (r == 0) {
        r = db_write(service->options.db, erase_account, &erasing, NULL);
    }
    if (r == ERASE_E_CALLED_OFF || r == ERASE_E_UNDER_WAY) {
        return 0;
    }
    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    service->has_erased = true;
    metric_add(service->metrics.erasures, 1);
    forget(&erasing);
    if (erasing.email) {
        housekeeping_wake(service->housekeeping, OWED_MAILS_CHORE);
    }
    return 0;
}

typedef struct Due {
    Arena *arena;
    int64_t now_us;
    Uuid *ids;
    size_t n;
} Due;

static int list_due(DbTx *tx, void *userdata) {
    Due *due = userdata;

    return erasure_store_due(tx, due->now_us, BATCH, due->arena, &due->ids, &due->n);
}

/* A batch; *ret_more when there may be more. One that fails does not keep the others. */
static int erase_batch(UserService *service, Housekeeping *housekeeping, bool *ret_more) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Due due = {.arena = arena, .now_us = clock_unix_us()};
    int failure = 0, r = db_read(service->options.db, NULL, list_due, &due);

    if (r < 0) {
        return err_trace(r);
    }
    *ret_more = due.n == BATCH;
    for (size_t i = 0; i < due.n; i++) {
        if (!housekeeping_goes_on(housekeeping)) {
            *ret_more = false;
            break;
        }
        r = erase_user(service, housekeeping, &due.ids[i]);
        failure = r < 0 ? r : failure;
    }
    return failure;
}

int erasure_run(UserService *service, Housekeeping *housekeeping) {
    bool more = true;
    int r = 0;

    (void)signing_keys_refresh(service->oidc->keys, clock_unix_us(), service->oidc->verifier);
    while (more && r == 0 && housekeeping_goes_on(housekeeping)) {
        r = erase_batch(service, housekeeping, &more);
    }
    if (service->has_erased) { /* also what an earlier server erased before it died */
        int scrubbed = db_scrub(service->options.db);
        service->has_erased = scrubbed < 0;
        r = r < 0 ? r : scrubbed;
    }
    return err_trace(r);
}
