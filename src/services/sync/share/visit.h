/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Somebody comes with a link: whose it is, whether it is still good, and whether its password was
 * given. */

#include "services/sync/call.h"
#include "services/sync/share/share_store.h"

typedef struct Visit {
    SyncCall call; /* caller: the owner, without any scope */
    Share share;
} Visit;
void visit_done(Visit *visit);

/*
 * Opens the link in the path. INVALID_FIELD: it is none. NOT_FOUND: there is none, it was taken
 * back, has expired, or its owner is no more. PASSWORD_REQUIRED, unless `before_password`. Whatever
 * it says, visit_done() follows, and the call can be answered with it.
 */
SyncFailure visit_begin(SyncService *service, HttpRequest *request, bool before_password,
                        Visit *ret_visit);

/* Whether the link shows that photo, or its other half: 0 with it, OBJECT_E_NONE, or a fault. In a
 * transaction. */
int visit_photo(DbTx *tx, Visit *visit, const Uuid *photo_id, Object *ret_photo);

/* What is given for the password, as a cookie or in Share-Pass; in the arena. */
#define VISIT_PASS_S (12 * 3600LL)
const char *visit_pass(Visit *visit);
