/* SPDX-License-Identifier: Apache-2.0 */

/* What an export holds: the one list, and how each file of it is written. */

#include "base/crypto/base64url.h"
#include "base/error.h"
#include "core/identity/access_token.h"
#include "services/user/acts.h"
#include "services/user/api_key_store.h"
#include "services/user/audit.h"
#include "services/user/avatar_store.h"
#include "services/user/credit_store.h"
#include "services/user/issuer/identity_store.h"
#include "services/user/oidc/grant_store.h"
#include "services/user/passkey/passkey_store.h"
#include "services/user/privacy/agreement_store.h"
#include "services/user/privacy/export.h"
#include "services/user/sessions.h"

#define AUDIT_PAGE   500
#define CONSENT_PAGE 500

static json_t *id_json(const Uuid *id) {
    char text[UUID_TEXT_SIZE];

    uuid_text(id, text);
    return json_string(text);
}

static json_t *amount_json(int64_t hundredths) {
    char text[ACT_AMOUNT_SIZE];

    return json_string(act_amount_text(hundredths, text));
}

static json_t *scopes_json(uint32_t scopes) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    scopes_write(scopes, &text);
    return json_string(buf_cstr(&text));
}

static int write_account(ExportRun *run) {
    const Account *account = run->account;
    const Profile *profile = &account->profile;

    return export_add_json(
        run, json_pack(
                 "{s:o,s:s,s:s,s:s,s:s,s:s,s:s,s:b,s:b,s:o,s:o,s:o}", "id",
                 id_json(&account->key.user_id), "email", account->email, "name", profile->name,
                 "locale", profile->locale, "zone", profile->zone, "role",
                 account_role_names[account->role], "status", account_status_names[account->status],
                 "password", account->password != NULL, "totp", account->totp.len > 0, "created",
                 export_time_json(account->created_us), "erase",
                 export_time_json(account->erase_us), "exported", export_time_json(run->now_us)));
}

typedef struct AvatarLoad {
    ExportRun *run;
    Arena *arena;
    Avatar avatar;
} AvatarLoad;

static int load_avatar(DbTx *tx, void *userdata) {
    AvatarLoad *load = userdata;
    int r = avatar_store_get(tx, &load->run->account->key, load->arena, &load->avatar);

    return r < 0 ? err_trace(r) : 0; /* an empty file where there is none */
}

static int write_avatar(ExportRun *run) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    AvatarLoad load = {.run = run, .arena = arena};
    int r = db_read(run->service->options.db, NULL, load_avatar, &load);

    return r < 0 ? err_trace(r) : zip_writer_add(run->archive, load.avatar.image);
}

static int load_devices(DbTx *tx, void *userdata) {
    ExportList *list = userdata;
    Session *sessions;
    size_t n;
    int r = session_store_list(tx, &list->run->account->key, list->run->now_us, list->arena,
                               &sessions, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        const Session *session = &sessions[i];
        json_array_append_new(
            list->items,
            json_pack("{s:o,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o}", "id", id_json(&session->session_id),
                      "name", session->device.name, "agent", session->device.agent, "address",
                      session->device.address, "methods", sessions_methods_json(session->methods),
                      "authenticated", export_time_json(session->authenticated_us), "created",
                      export_time_json(session->created_us), "seen",
                      export_time_json(session->seen_us), "expires",
                      export_time_json(session->expires_us)));
    }
    return err_trace(r);
}

static int write_devices(ExportRun *run) {
    return export_write_list(run, "devices", load_devices);
}

static int load_audit(DbTx *tx, void *userdata) {
    ExportPage *page = userdata;
    AuditEntry *entries;
    size_t n;
    int r = audit_list_after(tx, &page->list.run->account->key, page->at, AUDIT_PAGE,
                             page->list.arena, &entries, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        const AuditEvent *event = &entries[i].event;
        json_array_append_new(page->list.items,
                              json_pack("{s:I,s:o,s:s,s:s*,s:s*,s:s*,s:s*}", "seq",
                                        (json_int_t)entries[i].seq, "at",
                                        export_time_json(entries[i].at_us), "action", event->action,
                                        "address", event->address, "agent", event->agent, "session",
                                        event->session, "subject", event->subject));
        page->at = entries[i].seq;
    }
    return err_trace(r);
}

static int write_audit(ExportRun *run) {
    return export_write_pages(run, "entries", load_audit);
}

static json_t *key_scopes_json(uint32_t scopes) {
    json_t *array = json_array();

    for (size_t i = 0; api_key_scope_names[i]; i++) {
        if (scopes & (1u << i)) {
            json_array_append_new(array, json_string(api_key_scope_names[i]));
        }
    }
    return array;
}

static int load_keys(DbTx *tx, void *userdata) {
    ExportList *list = userdata;
    ApiKey *keys;
    size_t n;
    int r = api_key_store_list(tx, &list->run->account->key, list->arena, &keys, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        json_array_append_new(list->items,
                              json_pack("{s:o,s:s,s:s,s:o,s:o,s:o,s:o}", "id",
                                        id_json(&keys[i].key_id), "name", keys[i].name, "hint",
                                        keys[i].hint, "scopes", key_scopes_json(keys[i].scopes),
                                        "created", export_time_json(keys[i].created_us), "expires",
                                        export_time_json(keys[i].expires_us), "used",
                                        export_time_json(keys[i].used_us)));
    }
    return err_trace(r);
}

static int write_keys(ExportRun *run) {
    return export_write_list(run, "keys", load_keys);
}

static int load_credits(DbTx *tx, void *userdata) {
    ExportList *list = userdata;
    CreditState state;
    int r = credit_store_get(tx, &list->run->account->key.user_id, list->run->now_us, list->arena,
                             &state);

    if (r == 0) {
        json_array_append_new(list->items, json_pack("{s:s,s:o,s:o}", "currency", "credits",
                                                     "balance", amount_json(state.balance),
                                                     "available", amount_json(state.available)));
    }
    return err_trace(r);
}

static int write_credits(ExportRun *run) {
    return export_write_list(run, "credits", load_credits);
}

static json_t *passkey_id_json(Str id) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    base64url_encode(id, &text);
    return json_string(buf_cstr(&text));
}

static int load_passkeys(DbTx *tx, void *userdata) {
    ExportList *list = userdata;
    Passkey *passkeys;
    size_t n;
    int r = passkey_store_list(tx, &list->run->account->key, list->arena, &passkeys, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        json_array_append_new(list->items,
                              json_pack("{s:o,s:s,s:i,s:o,s:o}", "credential",
                                        passkey_id_json(passkeys[i].credential.id), "name",
                                        passkeys[i].name, "algorithm", passkeys[i].credential.alg,
                                        "created", export_time_json(passkeys[i].created_us), "used",
                                        export_time_json(passkeys[i].used_us)));
    }
    return err_trace(r);
}

static int write_passkeys(ExportRun *run) {
    return export_write_list(run, "passkeys", load_passkeys);
}

static int load_identities(DbTx *tx, void *userdata) {
    ExportList *list = userdata;
    Identity *identities;
    size_t n;
    int r = identity_store_list(tx, &list->run->account->key, list->arena, &identities, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        json_array_append_new(
            list->items,
            json_pack("{s:o,s:s,s:s,s:s,s:o,s:o}", "id", id_json(&identities[i].identity_id),
                      "issuer", identities[i].issuer, "subject", identities[i].subject, "email",
                      identities[i].email, "created", export_time_json(identities[i].created_us),
                      "used", export_time_json(identities[i].used_us)));
    }
    return err_trace(r);
}

static int write_identities(ExportRun *run) {
    return export_write_list(run, "identities", load_identities);
}

static int load_grants(DbTx *tx, void *userdata) {
    ExportList *list = userdata;
    Grant *grants;
    size_t n;
    int r = grant_store_list(tx, &list->run->account->key.user_id, list->arena, &grants, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        json_array_append_new(list->items,
                              json_pack("{s:s,s:o,s:s,s:o,s:o,s:o,s:o,s:o}", "kind", "access", "id",
                                        id_json(&grants[i].grant_id), "client", grants[i].client_id,
                                        "scope", scopes_json(grants[i].scopes), "methods",
                                        sessions_methods_json(grants[i].methods), "authenticated",
                                        export_time_json(grants[i].authenticated_us), "created",
                                        export_time_json(grants[i].created_us), "expires",
                                        export_time_json(grants[i].expires_us)));
    }
    return err_trace(r);
}

/* What programs have, and what they need not ask for again. */
static int load_applications(DbTx *tx, void *userdata) {
    ExportList *list = userdata;
    ClientConsent *consents;
    size_t n = 0;
    int r = load_grants(tx, list);

    if (r == 0) {
        r = consent_store_list(tx, &list->run->account->key.user_id, list->arena, &consents, &n);
    }
    for (size_t i = 0; r == 0 && i < n; i++) {
        json_array_append_new(list->items, json_pack("{s:s,s:s,s:o,s:o}", "kind", "remembered",
                                                     "client", consents[i].client_id, "scope",
                                                     scopes_json(consents[i].scopes), "created",
                                                     export_time_json(consents[i].created_us)));
    }
    return err_trace(r);
}

static int write_applications(ExportRun *run) {
    return export_write_list(run, "applications", load_applications);
}

static int load_consents(DbTx *tx, void *userdata) {
    ExportPage *page = userdata;
    Consent *consents;
    size_t n;
    int r = agreement_store_list(tx, &page->list.run->account->key, &page->after, CONSENT_PAGE,
                                 page->list.arena, &consents, &n);

    for (size_t i = 0; r == 0 && i < n; i++) {
        json_array_append_new(page->list.items,
                              json_pack("{s:s,s:s,s:b,s:o,s:s*,s:s*}", "document",
                                        consents[i].document, "version", consents[i].version,
                                        "given", consents[i].given, "at",
                                        export_time_json(consents[i].at_us), "address",
                                        consents[i].address, "agent", consents[i].agent));
        page->after = consents[i].consent_id;
    }
    return err_trace(r);
}

static int write_consents(ExportRun *run) {
    return export_write_pages(run, "consents", load_consents);
}

const ExportContent export_contents[] = {
    {"README.txt", "This file.", export_write_readme},
    {"account.json",
     "Who you are here: address, name, language, time zone, role, and whether the account has a "
     "password and a second factor. Neither of those is in this archive.",
     write_account},
    {"avatar.webp", "The picture that you show of yourself; empty when you show none.",
     write_avatar},
    {"devices.json",
     "The browsers, phones and programs that are signed in: what each told of itself, the network "
     "address it signed in from, how you proved who you are, and when it was last seen.",
     write_devices},
    {"audit.json",
     "What was done to or in your account that matters for its security, from the oldest on: when, "
     "from which network address and with what program.",
     write_audit},
    {"api-keys.json",
     "Your API keys: names, the first characters, what each may do and when it was used. The keys "
     "themselves are not kept here, and cannot be given.",
     write_keys},
    {"credits.json",
     "The credits of your account, and those that are not set aside for work under "
     "way.",
     write_credits},
    {"passkeys.json",
     "The passkeys that sign you in, by the identifier that your authenticator knows each by.",
     write_passkeys},
    {"identities.json",
     "Your accounts elsewhere that sign you in here: the issuer's address, who you are there, and "
     "the e-mail address that it vouched for.",
     write_identities},
    {"applications.json",
     "The programs that you let use your account: \"access\" is what one has at present, "
     "\"remembered\" what it need not ask you for again.",
     write_applications},
    {"consents.json",
     "The documents that you agreed to, or took your agreement back from, in the order in which "
     "you did, with the network address and program that it was done from.",
     write_consents},
    {0},
};
