/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One request to this service: who is calling is found out, a rule says whether they may, the body
 * is read by table, and what the handler gives back is answered as JSON or as a problem (RFC 9457).
 */

#include "base/http/json_body.h"
#include "services/user/audit.h"
#include "services/user/failure.h"
#include "services/user/internal.h"
#include "services/user/session_store.h"

/* Who may call. */
typedef enum CallRule {
    CALL_RULE_ANYONE,    /* whoever it is; not from another site when a cookie is sent */
    CALL_RULE_SIGNED_IN, /* with a session, or an access token with the scope account */
    CALL_RULE_SESSION,   /* with a session itself */
    CALL_RULE_FRESH,     /* with a session whose proof is younger than fresh-minutes */
} CallRule;

/* What is answered in the place of what the handler gives as JSON. */
typedef struct UserContent {
    const char *type;    /* NULL: there is none */
    const char *save_as; /* a name of plain ASCII, for a file to be saved; NULL: it is shown */
    Str bytes;           /* or: */
    int fd;              /* a memory file, from its beginning; taken over */
    uint64_t fd_len;     /* 0: the bytes are meant */
    const struct HttpReader *reader; /* or: read as it is sent, however long; NULL: it is not */
} UserContent;

typedef struct UserCall {
    UserService *service;
    HttpRequest *request;
    Arena *arena; /* the request's */
    int64_t now_us;
    bool signed_in;
    bool by_token;          /* with an access token: the session has no id then */
    Session session;        /* when signed_in */
    const Session *before;  /* that a new one takes the place of, of the same browser; or NULL */
    DbToken written, after; /* read_token.h */
    bool called_off;        /* signing in took back an erasure that was asked for */
    Uuid whose; /* the user whose rows were written, when it is not the caller; or nil */

    /* The answer's. */
    unsigned status;          /* 200 unless the handler says otherwise; 204, 304: no body */
    const char *detail;       /* of a failure: what is wrong and what to do, or NULL */
    uint32_t retry_after_s;   /* of a failure; 0: none */
    const char *set_cookie;   /* NULL: none */
    const char *bearer_error; /* of a failure: what the challenge says of the token, or NULL */
    int64_t version;          /* sent as ETag when > 0 */
    UserContent content;
    bool keeps; /* the client may keep the answer and ask whether it is still the same */
} UserCall;

/* Gives a new JSON object or array in *ret_body, or NULL for 204 or call->content. */
typedef UserFailure UserHandler(UserCall *call, json_t **ret_body);

/* The whole of an HttpHandler. */
void user_call_run(UserService *service, HttpRequest *request, CallRule rule, UserHandler *handle);

/*
 * The whole of an HttpQuick, of a GET for whoever is signed in: `recall` fills call->content from
 * memory, or says false, as it must rather than wait for anything.
 */
typedef bool UserRecall(UserCall *call);
bool user_call_quick(UserService *service, HttpRequest *request, UserRecall *recall);

/* The JSON body, whatever it is, as a new reference. */
UserFailure user_call_json(UserCall *call, json_t **ret_json);

/* Reads the JSON body; members that the table does not have are refused. */
UserFailure user_call_read(UserCall *call, const JsonField *fields, void *ret_struct);
/* The same, but for one member that is of no table's form: *ret_value is a new reference to it, or
 * NULL when it is absent. */
UserFailure user_call_read_with(UserCall *call, const JsonField *fields, void *ret_struct,
                                const char *member, json_t **ret_value);

/* And for several such members, whose values are to be NULL; they are given on success only. */
UserFailure user_call_read_members(UserCall *call, const JsonField *fields, void *ret_struct,
                                   JsonMember *members, size_t n_members);

/* A fault as a failure; it is logged once, here. */
UserFailure user_call_fault(UserCall *call, int r);

/* The version in If-Match. */
UserFailure user_call_version(UserCall *call, int64_t *ret_version);

/* Who and from where, for the audit trail; `subject` may be NULL. */
AuditEvent user_call_event(UserCall *call, const char *action, const char *subject);

/* What the request says of the device: the agent is cut to what the table takes. */
SessionDevice user_call_device(UserCall *call, const char *name);

/*
 * What a reply of 401 asks for (RFC 6750 3); in the arena. `error` "": nothing is said of a token;
 * NULL: "invalid_token" when one was sent.
 */
const char *user_call_challenge(UserCall *call, const char *error);

/* The cookie of a session; `token` NULL takes it back. */
const char *user_call_cookie(UserCall *call, const char *token);
