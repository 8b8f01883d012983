/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of this folder share: one request about another issuer. */

#include "base/http/form.h"
#include "services/user/account_store.h"
#include "services/user/issuer/flow.h"
#include "services/user/issuer/id_token.h"
#include "services/user/issuer/identity_store.h"
#include "services/user/issuer/part.h"
#include "services/user/issuer/remote.h"
#include "services/user/privacy/consent.h"
#include "services/user/session_store.h"

struct UserIssuer {
    Issuers *issuers;
    IssuerRemote *remote;
    uint8_t flow_key[AEAD_KEY_LEN];
};

typedef struct Visit {
    UserCall *call;
    const Issuer *issuer;
    Flow flow;
    IdentityClaims claims; /* email in canonical form, or "" when it is not vouched for */

    /* Transactions'. */
    Uuid user_id; /* whose it is about */
    const char *email;
    Agreed agreed;    /* of an account that is opened */
    const char *code; /* of the second factor; NULL: none was sent */
    Session session;
    char token[SESSION_TOKEN_LEN + 1];
} Visit;

/* Where the issuer sends people back to: its own, so that answers cannot be mixed up (RFC 9700
 * 4.4.2.2). */
const char *visit_redirect_uri(const Visit *visit);

/*
 * Begins visit->flow (whose purpose, back, session and fresh are set) and gives the address to go
 * to and the Set-Cookie value. 0, or ISSUER_E_AWAY, which is in the log.
 */
int visit_send(Visit *visit, const char **ret_location, const char **ret_cookie);

void visit_log(const Visit *visit, const char *event, const char *reason);

/* Whether the session of this request was proved recently enough for what matters. */
bool visit_session_is_fresh(const UserCall *call);

/* Signs in to visit->user_id, whose identity it is. Answers. */
void visit_enter(Visit *visit);
/* Renews the proof of the session. Answers. */
void visit_prove(Visit *visit);
/* Links the identity with the account of the session, which was proved just now. Answers. */
void visit_add(Visit *visit);
/* Whether strangers may open an account by this issuer. */
bool visit_may_register(const Visit *visit);
/* Opens an account of visit->claims.email, whose owner has agreed to visit->agreed. Answers. */
void visit_register(Visit *visit);

/* On to flow.back, with the session's cookie when `token` is not NULL. */
void visit_go_back(Visit *visit, const char *token);
/* A heading and a sentence, with a link to `path`; the flow has ended. */
void visit_page(Visit *visit, unsigned status, const char *title, const char *text,
                const char *path, const char *link);
/* The same of a failure that `call` has the detail of. */
void visit_page_failure(Visit *visit, UserFailure failure);
/* Asks for the second factor's code. `problem` NULL: for the first time. */
void visit_page_code(Visit *visit, unsigned status, const char *problem);
/* Asks whoever has visit->claims.email's account to sign in to it, or only to confirm when they
 * are. */
void visit_page_link(Visit *visit, unsigned status, const char *problem);
/* Asks whoever is about to open an account of visit->claims to agree to the documents. */
void visit_page_agree(Visit *visit, unsigned status, const char *problem);
/* Whether a form of these pages, for this flow, was sent. */
bool visit_form_is_ours(Visit *visit, const Form *form);
