/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The user service with what only it needs: master keys, threads that may wait, a local cache. */

#include "app/registry.h"
#include "base/crypto/master_key_ring.h"
#include "base/executor.h"
#include "services/user/service.h"

typedef struct UserPart {
    MasterKeyRing *master_keys;
    Cache *local_cache, *profile_cache;
    Executor *password_executor;
    Executor *executor, *mail_executor;
    /* With their executor; NULL: no other process asks. */
    ServiceVerifier *image_verifier, *sync_verifier;
    Executor *service_executor;
    /* Of the sync service in another process; NULL: not known where that is. */
    ServiceSigner *sync_signer;
    LibraryService *libraries;
    UserService *service;
} UserPart;

/* What it is built on; all of it outlives the part. */
typedef struct UserPartBase {
    const Settings *settings;
    Db *db;
    Cache *cache;
    Mailer *mailer;
    Metrics *metrics;
    bool serves_image, serves_sync; /* that part runs in another process */
} UserPartBase;

/* 0, or a negative with a whole sentence in *reterr_text, from the arena. */
int user_part_start(const UserPartBase *base, Arena *arena, UserPart *ret_part,
                    const char **reterr_text);

/* Starts what is done in the background, once it is known where the server listens; a failure is
 * logged, and the server goes on without. */
void user_part_listening(UserPart *part);

/* Reads the master keys again, and has the signing keys read again: on SIGHUP. What is wrong is
 * logged, and the old ones stay. */
void user_part_reload_keys(UserPart *part);

/* Lets requests and mails under way end, at most so long: after the server has drained. */
void user_part_drain(UserPart *part, uint32_t timeout_ms);

/* Waits for requests, however long: after the server has stopped, before the renderer that they may
 * wait for is gone. */
void user_part_end_requests(UserPart *part);

/* After the server has stopped. Whatever was built, also half. */
void user_part_done(UserPart *part);
