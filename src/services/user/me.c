/* SPDX-License-Identifier: Apache-2.0 */

/* One's own account: looked at, described, and given another password or address. */

#include "base/error.h"
#include "services/user/account_json.h"
#include "services/user/mail_start.h"
#include "services/user/mail_token_store.h"
#include "services/user/mails.h"
#include "services/user/passwords.h"
#include "services/user/privacy/consent.h"
#include "services/user/profile.h"
#include "services/user/read_token.h"
#include "services/user/sessions.h"
#include "services/user/text.h"
#include "services/user/ways.h"

#define AUDIT_PAGE 50

typedef struct Own {
    UserCall *call;
    Account account;
    json_t *due;            /* required documents that are not agreed to */
    const Profile *profile; /* members that are NULL stay */
    int64_t version;
    const char *phc;
    Uuid *ended;
    size_t n_ended;
    int64_t before_seq;
    AuditEntry *entries;
    size_t n_entries;
} Own;

enum {
    OWN_E_LAST = 100, /* nothing would be left to sign in with */
};

static void own_done(Own *own) {
    account_done(&own->account);
    json_decref(own->due);
}

static int load(DbTx *tx, void *userdata) {
    Own *own = userdata;

    return account_store_get(tx, own->call->service->vault, &own->call->session.user_id,
                             own->call->arena, &own->account);
}

static int load_with_due(DbTx *tx, void *userdata) {
    Own *own = userdata;
    int r = load(tx, own);

    json_decref(own->due);
    own->due = NULL;
    if (r == 0) {
        r = consent_due(tx, own->call->service, &own->account.key.user_id, own->call->arena,
                        &own->due);
    }
    return r < 0 ? err_trace(r) : r;
}

static UserFailure get(UserCall *call, json_t **ret_body) {
    _cleanup_(own_done) Own own = {.call = call};
    int r = db_read(call->service->options.db, read_token_after(call), load_with_due, &own);

    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    *ret_body = account_json(&own.account);
    json_object_set(*ret_body, "agreements_due", own.due);
    call->version = own.account.version;
    return USER_FAILURE_NONE;
}

static UserFailure get_kept(UserCall *call, json_t **ret_body) {
    *ret_body = NULL;
    return profile_get(call, get);
}

void me_get_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, get_kept);
}

bool me_get_quick(HttpRequest *request, void *context) {
    return user_call_quick(context, request, profile_recall);
}

static const JsonField patch_fields[] = {
    {"name", JSON_FIELD_STR, offsetof(Profile, name), .max = PROFILE_NAME_MAX},
    {"locale", JSON_FIELD_STR, offsetof(Profile, locale), .max = PROFILE_LOCALE_MAX},
    {"zone", JSON_FIELD_STR, offsetof(Profile, zone), .max = PROFILE_ZONE_MAX},
    {0},
};

static int write_profile(DbTx *tx, void *userdata) {
    Own *own = userdata;
    int r = load(tx, own);

    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    if (own->account.version != own->version) {
        return ACCOUNT_E_STALE;
    }
    own->account.profile.name = own->profile->name ? own->profile->name : own->account.profile.name;
    own->account.profile.locale =
        own->profile->locale ? own->profile->locale : own->account.profile.locale;
    own->account.profile.zone = own->profile->zone ? own->profile->zone : own->account.profile.zone;
    r = account_store_put(tx, own->call->service->vault, own->call->arena, &own->account);
    return r < 0 ? err_trace(r) : r;
}

static UserFailure patch(UserCall *call, json_t **ret_body) {
    Profile profile = {0};
    _cleanup_(own_done) Own own = {.call = call, .profile = &profile};
    UserFailure failure = user_call_read(call, patch_fields, &profile);
    int r;

    if (failure != USER_FAILURE_NONE ||
        (failure = user_call_version(call, &own.version)) != USER_FAILURE_NONE ||
        (failure = account_check_profile(call, &(Profile){profile.name ? profile.name : "",
                                                          profile.locale ? profile.locale : "",
                                                          profile.zone ? profile.zone : ""})) !=
            USER_FAILURE_NONE) {
        return failure;
    }
    r = db_write(call->service->options.db, write_profile, &own, read_token_noted(call));
    if (r == ACCOUNT_E_STALE) {
        call->detail = "It was changed from elsewhere: read it again.";
        return USER_FAILURE_STALE_VERSION;
    }
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    *ret_body = account_json(&own.account);
    call->version = own.account.version;
    return USER_FAILURE_NONE;
}

void me_patch_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, patch);
}

typedef struct PasswordBody {
    const char *password;
} PasswordBody;

static const JsonField password_fields[] = {
    {"password", JSON_FIELD_STR, offsetof(PasswordBody, password), true, .max = PASSWORD_BYTES_MAX},
    {0},
};

/* own->phc NULL: takes it away, when that leaves another way to sign in. */
static int write_password(DbTx *tx, void *userdata) {
    Own *own = userdata;
    UserCall *call = own->call;
    const Vault *vault = call->service->vault;
    AuditEvent event =
        user_call_event(call, own->phc ? "password.changed" : "password.removed", NULL);
    size_t n_ways = 0;
    int r = load(tx, own);

    if (r == 0 && !own->phc) {
        r = ways_count(tx, call, &own->account, &n_ways);
    }
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    if (!own->phc && n_ways <= (own->account.password ? 1 : 0)) {
        return OWN_E_LAST;
    }
    own->account.password = own->phc;
    if ((r = account_store_put(tx, vault, call->arena, &own->account)) != 0 ||
        (r = mail_token_store_remove_all(tx, &call->session.user_id)) != 0 ||
        (r = session_store_remove_all(tx, &call->session.user_id, &call->session.session_id,
                                      call->arena, &own->ended, &own->n_ended)) != 0 ||
        (r = audit_append(tx, vault, &own->account.key, call->now_us, call->arena, &event)) != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    return 0;
}

static UserFailure change_password(UserCall *call, json_t **ret_body) {
    _cleanup_(own_done) Own own = {.call = call};
    PasswordBody body;
    UserFailure failure = user_call_read(call, password_fields, &body);
    int r;

    *ret_body = NULL;
    if (failure != USER_FAILURE_NONE) {
        return failure;
    }
    r = db_read(call->service->options.db, NULL, load, &own);
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    failure = passwords_check(call, body.password, own.account.email);
    if (failure != USER_FAILURE_NONE ||
        (failure = passwords_hash(call, body.password, &own.phc)) != USER_FAILURE_NONE) {
        return failure;
    }
    account_done(&own.account);
    r = db_write(call->service->options.db, write_password, &own, read_token_noted(call));
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    sessions_forget(call, own.ended, own.n_ended);
    mails_notice(call->service, MAIL_NOTICE_PASSWORD_CHANGED, own.account.email);
    return USER_FAILURE_NONE;
}

void me_password_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, change_password);
}

static UserFailure remove_password(UserCall *call, json_t **ret_body) {
    _cleanup_(own_done) Own own = {.call = call};
    int r = db_write(call->service->options.db, write_password, &own, read_token_noted(call));

    *ret_body = NULL;
    if (r == OWN_E_LAST) {
        call->detail = "It is the only way into this account: add a passkey first.";
        return USER_FAILURE_CONFLICT;
    }
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    sessions_forget(call, own.ended, own.n_ended);
    mails_notice(call->service, MAIL_NOTICE_PASSWORD_REMOVED, own.account.email);
    return USER_FAILURE_NONE;
}

void me_password_remove_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_FRESH, remove_password);
}

static int load_trail(DbTx *tx, void *userdata) {
    Own *own = userdata;
    int r = load(tx, own);

    if (r == 0) {
        r = audit_list(tx, &own->account.key, own->before_seq, AUDIT_PAGE, own->call->arena,
                       &own->entries, &own->n_entries);
    }
    return r < 0 ? err_trace(r) : r;
}

static json_t *entry_json(const AuditEntry *entry) {
    const AuditEvent *event = &entry->event;

    return json_pack("{s:I,s:I,s:s,s:s*,s:s*,s:s*,s:s*}", "seq", (json_int_t)entry->seq, "at",
                     (json_int_t)(entry->at_us / 1000000), "action", event->action, "address",
                     event->address, "agent", event->agent, "session", event->session, "subject",
                     event->subject);
}

static UserFailure trail(UserCall *call, json_t **ret_body) {
    _cleanup_(own_done) Own own = {.call = call};
    const char *before = http_request_query(call->request, "before");
    uint64_t seq = 0;
    json_t *entries;
    int r;

    if (before && (str_to_u64(str_from(before), &seq) < 0 || seq > INT64_MAX)) {
        call->detail = "before: not the seq of an entry.";
        return USER_FAILURE_INVALID_FIELD;
    }
    own.before_seq = (int64_t)seq;
    r = db_read(call->service->options.db, read_token_after(call), load_trail, &own);
    if (r != 0) {
        return r < 0 ? user_call_fault(call, r) : USER_FAILURE_SIGNED_OUT;
    }
    entries = json_array();
    for (size_t i = 0; i < own.n_entries; i++) {
        json_array_append_new(entries, entry_json(&own.entries[i]));
    }
    *ret_body = json_pack("{s:o}", "entries", entries);
    return USER_FAILURE_NONE;
}

void me_audit_handle(HttpRequest *request, void *context) {
    user_call_run(context, request, CALL_RULE_SIGNED_IN, trail);
}
