/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What people agree to: when an account is opened, and later on their account page.
 *
 *   GET /v1/agreements             the documents that there are
 *   GET /v1/me/consents            what one has agreed to of them
 *   PUT /v1/me/consents/{id}       agrees, or takes it back
 */

#include "services/user/call.h"
#include "services/user/privacy/agreement_store.h"
#include "services/user/privacy/agreements.h"

/* What somebody who opens an account agrees to: borrowed from the configuration. */
typedef struct Agreed {
    const Agreement *agreements[AGREEMENTS_MAX];
    size_t n;
} Agreed;

/*
 * Reads [{"id", "version"}] (NULL: none). USER_FAILURE_INVALID_FIELD when it is of another form,
 * names what there is not, or leaves out what is required, each at its present version.
 */
UserFailure consent_read(UserCall *call, const json_t *json, Agreed *ret_agreed);
/* Whether one more is agreed to; does nothing when it is there. */
void consent_agree(Agreed *agreed, const Agreement *agreement);
/* The first that is required and not there; NULL: none. */
const Agreement *consent_missing(const UserService *service, const Agreed *agreed);

/* In the transaction that opens the account. */
int consent_keep(DbTx *tx, UserCall *call, const UserKey *key, const Agreed *agreed);

/* The required documents whose present version that user has not agreed to:
 * [{"id", "version", "title", "url"}], a new reference. */
int consent_due(DbTx *tx, const UserService *service, const Uuid *user_id, Arena *arena,
                json_t **ret_due);
