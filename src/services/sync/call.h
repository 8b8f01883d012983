/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One request to this service: who is calling is found out, the body is read by table, and what the
 * handler gives is answered as JSON or as a problem (RFC 9457).
 *
 * What changes something is done by sync_call_write(): one transaction, in which the answer is kept
 * too when the request has an Idempotency-Key (a UUIDv7 of the device's). The same request again,
 * also after its answer was lost, is answered as the first time.
 */

#include "base/http/json_body.h"
#include "services/sync/failure.h"
#include "services/sync/internal.h"

typedef struct SyncCall {
    SyncService *service;
    HttpRequest *request;
    Arena *arena; /* the request's */
    int64_t now_us;
    AccessCaller caller;
    Str credential; /* what was shown; lives as long as the request */
    UserKey key;    /* of the library; wiped when the request has been answered */

    /* The answer's. */
    unsigned status;    /* 200 unless the handler says otherwise; 204: no body */
    json_t *body;       /* a new reference; NULL: none, and 204 for 200 */
    json_t *problem;    /* members that a problem has besides its own; a new reference or NULL */
    const char *detail; /* of a failure: what is wrong and what to do, or NULL */
    uint32_t retry_after_s;    /* of a failure; 0: none */
    int64_t version;           /* sent as ETag when > 0 */
    const HttpHeader *headers; /* more of them; ends with name NULL, at most 8; or NULL */
} SyncCall;

/*
 * Finds out who calls: a session's cookie, or after "Bearer" its token, an access token or an API
 * key of the scope library. Fills caller and key. For handlers that answer by themselves;
 * sync_call_done() wipes the key.
 */
SyncFailure sync_call_admit(SyncService *service, HttpRequest *request, SyncCall *ret_call);
void sync_call_done(SyncCall *call);

/* Answers with the failure, or when it is NONE with call->body. */
void sync_call_respond(SyncCall *call, SyncFailure failure);

/* The whole of an HttpHandler. */
typedef SyncFailure SyncHandler(SyncCall *call);
void sync_call_run(SyncService *service, HttpRequest *request, SyncHandler *handle);

/* The JSON body by table; members that the table does not have are refused. */
SyncFailure sync_call_read(SyncCall *call, const JsonField *fields, void *ret_struct);
SyncFailure sync_call_read_members(SyncCall *call, const JsonField *fields, void *ret_struct,
                                   JsonMember *members, size_t n_members);

/* The version in If-Match. */
SyncFailure sync_call_version(SyncCall *call, int64_t *ret_version);

/* A parameter of the path that is a UUID; NOT_FOUND when it is none. */
SyncFailure sync_call_id(SyncCall *call, const char *name, Uuid *ret_id);

/* A fault as a failure; it is logged once, here. */
SyncFailure sync_call_fault(SyncCall *call, int r);

/*
 * What a request does, in a transaction: sets *ret_failure, and call->status, body, problem and
 * version as they are to be answered. With SYNC_FAILURE_NONE it is committed, with any other
 * nothing of it is. A fault is forwarded. May be run again, so it sets all of these anew.
 */
typedef int SyncWork(DbTx *tx, SyncCall *call, void *userdata, SyncFailure *ret_failure);
SyncFailure sync_call_write(SyncCall *call, SyncWork *work, void *userdata);
/* The same for a request that nobody has signed in for: its Idempotency-Key means nothing. */
SyncFailure sync_call_write_plain(SyncCall *call, SyncWork *work, void *userdata);
/* The same for what only reads. */
SyncFailure sync_call_look(SyncCall *call, SyncWork *work, void *userdata);
