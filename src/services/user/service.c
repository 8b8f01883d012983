/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "services/user/access.h"
#include "services/user/account_store.h"
#include "services/user/api_key_store.h"
#include "services/user/audit.h"
#include "services/user/audit_check.h"
#include "services/user/avatar_store.h"
#include "services/user/chore_store.h"
#include "services/user/credit_store.h"
#include "services/user/housekeeping.h"
#include "services/user/internal.h"
#include "services/user/issuer/identity_store.h"
#include "services/user/issuer/part.h"
#include "services/user/mail_token_store.h"
#include "services/user/oidc/client_store.h"
#include "services/user/oidc/device_store.h"
#include "services/user/oidc/grant_store.h"
#include "services/user/oidc/part.h"
#include "services/user/oidc/signing_keys.h"
#include "services/user/owed_mail_store.h"
#include "services/user/passkey/part.h"
#include "services/user/privacy/agreement_store.h"
#include "services/user/privacy/agreements.h"
#include "services/user/privacy/erasure_store.h"
#include "services/user/privacy/export_store.h"
#include "services/user/privacy/receipt.h"
#include "services/user/privacy/tables.h"
#include "services/user/second_factor.h"
#include "services/user/service_api.h"
#include "services/user/session_store.h"

#define BODY_MAX         (16u << 10)
#define AVATAR_BODY_MAX  ((size_t)10 << 20)
#define HASH_WAITING_MAX 64
#define HASH_WAIT_MS     10000

typedef struct UserRoute {
    const char *method, *path;
    HttpHandler *handle;
    HttpQuick *quick;
    bool hashes; /* passwords */
} UserRoute;

static HttpRoute route_of(const UserService *service, const UserRoute *route) {
    return (HttpRoute){.method = route->method,
                       .path = route->path,
                       .handle = route->handle,
                       .body_max = route->handle == avatar_put_handle ? AVATAR_BODY_MAX : BODY_MAX,
                       .blocks = true,
                       .quick = route->quick,
                       .executor = route->hashes ? service->options.password_executor : NULL};
}

static void build_routes(UserService *service) {
    static const UserRoute routes[] = {
        {"POST", "/v1/registrations", registration_start_handle},
        {"POST", "/v1/registrations/complete", registration_complete_handle, .hashes = true},
        {"POST", "/v1/registrations/passkey", registration_passkey_handle},
        {"POST", "/v1/password-resets", reset_start_handle},
        {"POST", "/v1/password-resets/complete", reset_complete_handle, .hashes = true},
        {"POST", "/v1/email-changes/complete", email_complete_handle},
        {"POST", "/v1/sessions", session_create_handle, .hashes = true},
        {"GET", "/v1/sessions", session_list_handle},
        {"DELETE", "/v1/sessions", session_remove_all_handle},
        {"POST", "/v1/sessions/proof", session_proof_handle, .hashes = true},
        {"POST", "/v1/sessions/proof/issuer", issuer_prove_handle},
        {"POST", "/v1/sessions/passkey", session_passkey_handle},
        {"POST", "/v1/passkey-challenges", passkey_challenge_handle},
        {"PATCH", "/v1/sessions/{id}", session_rename_handle},
        {"DELETE", "/v1/sessions/{id}", session_remove_handle},
        {"GET", "/v1/me", me_get_handle, me_get_quick},
        {"PATCH", "/v1/me", me_patch_handle},
        {"DELETE", "/v1/me", me_remove_handle},
        {"GET", "/v1/erasure-receipts/{id}", erasure_receipt_handle},
        {"PUT", "/v1/me/password", me_password_handle, .hashes = true},
        {"DELETE", "/v1/me/password", me_password_remove_handle},
        {"POST", "/v1/me/email", me_email_handle},
        {"GET", "/v1/me/avatar", avatar_get_handle},
        {"PUT", "/v1/me/avatar", avatar_put_handle},
        {"DELETE", "/v1/me/avatar", avatar_remove_handle},
        {"POST", "/v1/me/passkeys/options", passkey_options_handle},
        {"POST", "/v1/me/passkeys", passkey_add_handle},
        {"GET", "/v1/me/passkeys", passkey_list_handle},
        {"PATCH", "/v1/me/passkeys/{id}", passkey_rename_handle},
        {"DELETE", "/v1/me/passkeys/{id}", passkey_remove_handle},
        {"POST", "/v1/me/totp", totp_start_handle},
        {"PUT", "/v1/me/totp", totp_put_handle},
        {"DELETE", "/v1/me/totp", totp_remove_handle},
        {"GET", "/v1/me/audit", me_audit_handle},
        {"POST", "/v1/me/exports", export_ask_handle},
        {"GET", "/v1/me/exports", export_list_handle},
        {"GET", "/v1/me/exports/{id}", export_get_handle},
        {"GET", "/v1/me/exports/{id}/file", export_file_handle},
        {"GET", "/v1/agreements", agreement_list_handle},
        {"GET", "/v1/me/consents", consent_list_handle},
        {"PUT", "/v1/me/consents/{id}", consent_put_handle},
        {"GET", "/v1/issuers", issuer_list_handle},
        {"GET", "/v1/me/identities", identity_list_handle},
        {"POST", "/v1/me/identities", identity_link_handle},
        {"DELETE", "/v1/me/identities/{id}", identity_remove_handle},
        {"POST", "/v1/api-keys", api_key_create_handle},
        {"GET", "/v1/api-keys", api_key_list_handle},
        {"DELETE", "/v1/api-keys/{id}", api_key_remove_handle},
        {"GET", "/v1/admin/users", admin_find_handle},
        {"GET", "/v1/admin/users/{id}", admin_get_handle},
        {"PATCH", "/v1/admin/users/{id}", admin_patch_handle},
        {"POST", "/v1/admin/users/{id}/credits", admin_grant_handle},
        {"GET", "/v1/admin/clients", admin_client_list_handle},
        {"POST", "/v1/admin/clients", admin_client_create_handle},
        {"GET", "/v1/admin/clients/{id}", admin_client_get_handle},
        {"PUT", "/v1/admin/clients/{id}", admin_client_put_handle},
        {"DELETE", "/v1/admin/clients/{id}", admin_client_remove_handle},
        {"POST", "/v1/admin/clients/{id}/secret", admin_client_secret_handle},
    };
    _Static_assert(ARRAY_LEN(routes) < USER_ROUTES_MAX, "the table ends with an empty route");

    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        service->routes[i] = route_of(service, &routes[i]);
    }
}

static void build_groups(UserService *service) {
    service->groups[0] = (HttpRouteGroup){.prefix = "/v1/",
                                          .routes = service->routes,
                                          .context = service,
                                          .executor = service->options.executor};
    service->groups[1] = oidc_group(service);
    service->groups[2] = service_api_group(service);
}

static void register_metrics(UserService *service) {
    Metrics *metrics = service->options.metrics;
    UserMetrics *ours = &service->metrics;
    static const char sign_ins[] = "Attempts to sign in, by what became of them.";
    static const char mails[] = "Mails, by what became of them.";

    ours->sign_ins =
        metrics_counter(metrics, "imagesync_sign_ins_total", "result=\"done\"", sign_ins);
    ours->sign_ins_refused =
        metrics_counter(metrics, "imagesync_sign_ins_total", "result=\"refused\"", sign_ins);
    ours->registrations =
        metrics_counter(metrics, "imagesync_registrations_total", "", "Accounts opened.");
    ours->mails_sent = metrics_counter(metrics, "imagesync_mails_total", "result=\"sent\"", mails);
    ours->mails_failed =
        metrics_counter(metrics, "imagesync_mails_total", "result=\"failed\"", mails);
    ours->service_calls_refused =
        metrics_counter(metrics, "imagesync_service_calls_refused_total", "",
                        "Calls to what is for our services alone, without a good service token.");
    ours->erasures = metrics_counter(metrics, "imagesync_erasures_total", "", "Accounts erased.");
}

static int check_statements(Db *db, const char **reterr) {
    const struct {
        const DbStatement *statements;
        size_t n;
    } stores[] = {
        {account_statements, account_statements_len},
        {session_statements, session_statements_len},
        {mail_token_statements, mail_token_statements_len},
        {owed_mail_statements, owed_mail_statements_len},
        {recovery_statements, recovery_statements_len},
        {audit_statements, audit_statements_len},
        {audit_check_statements, audit_check_statements_len},
        {api_key_statements, api_key_statements_len},
        {credit_statements, credit_statements_len},
        {grant_statements, grant_statements_len},
        {identity_statements, identity_statements_len},
        {signing_key_statements, signing_key_statements_len},
        {device_statements, device_statements_len},
        {client_store_statements, client_store_statements_len},
        {passkey_statements, passkey_statements_len},
        {avatar_statements, avatar_statements_len},
        {chore_statements, chore_statements_len},
        {export_statements, export_statements_len},
        {agreement_statements, agreement_statements_len},
        {erasure_statements, erasure_statements_len},
        {receipt_statements, receipt_statements_len},
    };

    for (size_t i = 0; i < ARRAY_LEN(stores); i++) {
        int r = db_check(db, stores[i].statements, stores[i].n, reterr);
        if (r < 0) {
            return err_trace(r);
        }
    }
    return err_trace(privacy_tables_check(db, reterr));
}

static int start(UserService *service, const char **reterr) {
    const UserSettings *settings = service->options.settings;
    int r = check_statements(service->options.db, reterr);

    if (r < 0) {
        return err_trace(r);
    }
    r = vault_new(service->options.db, service->options.master_key, &service->vault);
    if (r == VAULT_E_BROKEN) {
        *reterr = "the master key is not the one that this database was made with; give the right "
                  "one with --master-key";
        return -EINVAL;
    }
    if (r < 0) {
        return err_trace(r);
    }
    service->attempts = attempt_counts_new(
        service->options.cache, service->options.local_cache, settings->attempts_per_address,
        (Str){(const char *)vault_service_key(service->vault)->bytes, VAULT_KEY_LEN});
    r = user_access_start(service);
    if (r < 0) {
        return err_trace(r);
    }
    r = password_hasher_new(
        &(PasswordSettings){.ops = (uint32_t)settings->password_ops,
                            .memory_mib = (uint32_t)settings->password_memory_mib,
                            .parallel_max = (uint32_t)settings->password_parallel,
                            .waiting_max = HASH_WAITING_MAX,
                            .wait_ms = HASH_WAIT_MS},
        &service->hasher);
    if (r == 0 && settings->breached_passwords[0]) {
        r = breached_list_open(settings->breached_passwords, service->options.arena,
                               &service->breached, reterr);
    }
    if (r == 0) {
        service->passkeys = passkeys_new(service);
        r = oidc_new(service, &service->oidc, reterr);
    }
    if (r == 0) {
        r = issuer_new(service, &service->issuer, reterr);
    }
    if (r == 0) {
        r = agreements_read(settings->agreements, service->options.arena, &service->agreements,
                            reterr);
    }
    return r < 0 ? err_trace(r) : 0;
}

int user_service_new(const UserServiceOptions *options, UserService **ret_service,
                     const char **reterr) {
    _cleanup_(user_service_freep) UserService *service = calloc(1, sizeof(*service));
    int r;

    if (!service) {
        return err_trace(-ENOMEM);
    }
    service->options = *options;
    service->profiles = read_through_new(options->profile_cache);
    r = start(service, reterr);
    if (r < 0) {
        return err_trace(r);
    }
    register_metrics(service);
    service->has_erased = true; /* by a server that died before it emptied the log, perhaps */
    service->housekeeping = housekeeping_new(service, housekeeping_chores);
    build_routes(service);
    build_groups(service);
    *ret_service = TAKE_PTR(service);
    return 0;
}

void user_service_set_public_url(UserService *service, const char *public_url) {
    free(service->public_url);
    service->public_url = strdup(public_url);
    if (!service->public_url) {
        abort();
    }
    service->secure = str_starts_with(str_from(public_url), str_lit("https://"));
    oidc_set_public_url(service);
    passkeys_set_public_url(service);
}

void user_service_set_renderer(UserService *service, Renderer *renderer) {
    service->renderer = renderer;
}

void user_service_set_libraries(UserService *service, LibraryService *libraries) {
    service->libraries = libraries;
}

int user_service_start(UserService *service) {
    return err_trace(housekeeping_start(service->housekeeping));
}

void user_service_stop(UserService *service) {
    housekeeping_stop(service->housekeeping);
}

void user_service_reload_keys(UserService *service) {
    oidc_reload_keys(service);
}

UserService *user_service_free(UserService *service) {
    if (service) {
        housekeeping_free(service->housekeeping);
        user_access_done(service);
        agreements_free(service->agreements);
        issuer_free(service->issuer);
        oidc_free(service->oidc);
        passkeys_free(service->passkeys);
        password_hasher_free(service->hasher);
        attempt_counts_free(service->attempts);
        breached_list_free(service->breached);
        vault_free(service->vault);
        read_through_free(service->profiles);
        free(service->public_url);
        free(service);
    }
    return NULL;
}

Access *user_service_access(UserService *service) {
    return &service->access.base;
}

const HttpRouteGroup *user_service_groups(UserService *service) {
    return service->groups;
}
