/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of this service share: its state and its handlers. */

#include "base/crypto/password.h"
#include "core/cache/read_through.h"
#include "core/contracts/access_wire.h"
#include "services/user/attempt_counts.h"
#include "services/user/breached_list.h"
#include "services/user/service.h"
#include "services/user/vault.h"

typedef struct UserMetrics {
    Metric *sign_ins, *sign_ins_refused, *registrations, *mails_sent, *mails_failed;
    Metric *service_calls_refused, *erasures;
} UserMetrics;

#define USER_ROUTES_MAX 80

/* This service as its contract has it. */
typedef struct UserAccess {
    Access base;
    UserService *service;
} UserAccess;

struct UserService {
    UserServiceOptions options;
    Vault *vault;
    AttemptCounts *attempts;
    PasswordHasher *hasher;
    BreachedList *breached; /* NULL: none was given */
    UserMetrics metrics;
    UserAccess access;
    ReadThrough *api_keys, *profiles;
    char *public_url;
    Renderer *renderer;                /* NULL: none in this process */
    LibraryService *libraries;         /* NULL: there are none */
    _Atomic bool sync_asks;            /* a sync service does, so there are */
    _Atomic unsigned avatars_rendered; /* just now */
    bool secure;                       /* public_url is https: cookies are __Host- and Secure */
    struct UserOidc *oidc;
    struct UserIssuer *issuer;
    struct UserPasskeys *passkeys;
    struct Housekeeping *housekeeping;
    struct Agreements *agreements;
    bool has_erased; /* of that thread: something erased may still be in the log of the database */
    HttpRoute routes[USER_ROUTES_MAX], service_routes[_ACCESS_VERB_MAX + 1];
    HttpRouteGroup groups[USER_SERVICE_GROUPS];
};

/* Handlers; their context is the UserService. */
HttpHandler registration_start_handle, registration_complete_handle;
HttpHandler reset_start_handle, reset_complete_handle;
HttpHandler session_create_handle, session_proof_handle, session_list_handle, session_rename_handle,
    session_remove_handle, session_remove_all_handle;
HttpHandler me_get_handle, me_patch_handle, me_password_handle, me_password_remove_handle,
    me_email_handle, me_audit_handle;
HttpHandler avatar_get_handle, avatar_put_handle, avatar_remove_handle;
HttpHandler totp_start_handle, totp_put_handle, totp_remove_handle;
HttpHandler email_complete_handle;
HttpHandler passkey_options_handle, passkey_add_handle, passkey_list_handle, passkey_rename_handle,
    passkey_remove_handle, passkey_challenge_handle, session_passkey_handle,
    registration_passkey_handle;
HttpHandler me_remove_handle, erasure_receipt_handle;
HttpHandler api_key_create_handle, api_key_list_handle, api_key_remove_handle;
HttpHandler agreement_list_handle, consent_list_handle, consent_put_handle;
HttpHandler export_ask_handle, export_list_handle, export_get_handle, export_file_handle;
HttpHandler admin_find_handle, admin_get_handle, admin_patch_handle, admin_grant_handle;
HttpHandler admin_client_list_handle, admin_client_create_handle, admin_client_get_handle,
    admin_client_put_handle, admin_client_secret_handle, admin_client_remove_handle;

/* What can be answered at once. */
HttpQuick me_get_quick;
