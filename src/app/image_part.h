/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The image service with what only it needs: what fetches, threads that ask for users' keys, and,
 * where the user part runs elsewhere, the client that asks it.
 */

#include "app/registry.h"
#include "app/user_client.h"
#include "base/executor.h"
#include "base/http/fetch.h"
#include "services/image/service.h"

typedef struct ImagePart {
    Fetcher *fetcher;
    UserClient remote; /* empty: the user part is in this process, or nowhere */
    Executor *access_executor;
    ImageService *service;
} ImagePart;

/* What it is built on; all of it outlives the part. */
typedef struct ImagePartBase {
    const Settings *settings;
    Renderer *renderer;
    Access *access; /* of the user part in this process; NULL: ask where the settings say */
    Cache *cache;
    Metrics *metrics;
    const Netguard *guard;
    const char *listen_address;
} ImagePartBase;

/* 0, or a negative with a whole sentence in *reterr_text, from the arena. */
int image_part_start(const ImagePartBase *base, Arena *arena, ImagePart *ret_part,
                     const char **reterr_text);

/*
 * After the server has stopped, before the renderer ends: waits for what goes on to it, and ends
 * what is fetched.
 */
void image_part_end_requests(ImagePart *part);

/* After the renderer has ended. Whatever was built, also half. */
void image_part_done(ImagePart *part);
