/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The user service: accounts, who is signed in with what, and what others may ask of that. A
 * library over an HTTP server and the ports that app brings, all of which must outlive it. Its
 * handlers block, so its routes run on the executor.
 *
 *   POST /v1/registrations, /v1/registrations/complete           an account, by mail
 *   POST /v1/password-resets, /v1/password-resets/complete       a new password, by mail
 *   POST /v1/email-changes/complete                              a new address, by mail
 *   POST /v1/sessions, GET, PATCH and DELETE /v1/sessions[/{id}] signing in and out, devices
 *   GET, PATCH /v1/me, PUT /v1/me/password, POST /v1/me/email    one's own account
 *   /.well-known/openid-configuration, /oauth/...                 OpenID Connect: oidc/oidc.h
 *   GET /v1/issuers, /v1/me/identities, /oauth/issuers/...       other issuers: issuer/part.h
 *   .../passkeys, /v1/passkey-challenges                         passkeys: passkey/part.h
 *   GET, PUT, DELETE /v1/me/avatar                               one's own picture
 *   POST, GET /v1/me/exports[/{id}[/file]]                       one's own data: privacy/export.h
 *   GET /v1/agreements, /v1/me/consents, PUT .../{id}            what one agrees to
 *   GET /v1/me/audit                                             one's own audit trail
 *   POST, GET /v1/api-keys, DELETE /v1/api-keys/{id}             one's own API keys
 *   GET /v1/admin/users?email=, GET, PATCH /v1/admin/users/{id}, POST .../credits  for staff
 *   GET, POST /v1/admin/clients, GET, PUT, DELETE .../{id}, POST .../{id}/secret  OAuth clients
 *   POST /internal/v1/access/...                                 for our other services:
 * service_api.h
 */

#include "base/crypto/master_key_ring.h"
#include "base/executor.h"
#include "base/http/server.h"
#include "core/contracts/access.h"
#include "core/contracts/library_service.h"
#include "core/identity/service_token.h"
#include "core/ports/cache.h"
#include "core/ports/db.h"
#include "core/ports/mail.h"
#include "core/ports/renderer.h"
#include "services/user/settings.h"

typedef struct UserService UserService;

typedef struct UserServiceOptions {
    Db *db;
    Cache *cache;
    Cache *local_cache;   /* in this process, for counting while `cache` is away; may be the same */
    Cache *profile_cache; /* in this process, for profiles alone */
    bool cache_is_shared; /* `cache` is, with other processes */
    Mailer *mailer;
    Executor *executor;          /* for requests */
    Executor *password_executor; /* for those that hash passwords, so that others do not wait */
    Executor *mail_executor;     /* for mails: nobody waits for these */
    MasterKeyRing *master_key;
    /* Of the image and the sync service; NULL: that does not run in another process. */
    ServiceVerifier *image_verifier, *sync_verifier;
    Executor *service_executor; /* for those, so that they do not wait behind passwords */
    bool reads_replicas;        /* `db` has some */
    Metrics *metrics;
    const UserSettings *settings;
    Arena *arena; /* for what is said in *reterr */
} UserServiceOptions;

#define USER_SERVICE_GROUPS 3

/* 0; -EINVAL with a whole sentence in *reterr; or a fault of the database. */
int user_service_new(const UserServiceOptions *options, UserService **ret_service,
                     const char **reterr);
/*
 * Where people reach this server: "https://photos.example.com", without a slash at the end. Must be
 * said once, before the first request.
 */
void user_service_set_public_url(UserService *service, const char *public_url);
/*
 * What reads pictures, or NULL as at first: then none is taken. Said before the first request;
 * outlives the executor's work.
 */
void user_service_set_renderer(UserService *service, Renderer *renderer);
/*
 * Whose libraries there are: what exports take photos from. NULL as at first: there are none. Said
 * before the first request; outlives the executor's work.
 */
void user_service_set_libraries(UserService *service, LibraryService *libraries);
/* Starts what is done in the background: after the public URL was said. 0 or a fault. */
int user_service_start(UserService *service);
/* Ends that: before the executors end. Also when it was not started. */
void user_service_stop(UserService *service);
/* The keys that tokens are signed with are read again at the next request. Thread-safe. */
void user_service_reload_keys(UserService *service);
/* Last: after the server and both executors have ended. Accepts NULL. */
UserService *user_service_free(UserService *service);
DEFINE_CLEANUP(UserService *, user_service_free)

/* What other services may ask; lives as long as the service. */
Access *user_service_access(UserService *service);

const HttpRouteGroup *user_service_groups(UserService *service);
