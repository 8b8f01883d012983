/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What this browser is about to do with another issuer. It travels in a cookie, sealed under a key
 * of the service, for FLOW_LIFE_S, and each is good once: so `state` is bound to the browser that
 * was sent to the issuer, and nothing is kept here for those who never come back.
 */

#include "base/crypto/aead.h"
#include "services/user/call.h"

#define FLOW_LIFE_S   600
#define FLOW_BACK_MAX 1500 /* bytes of `back` */

typedef enum FlowStage {
    FLOW_SENT,  /* the issuer has not answered yet */
    FLOW_CODE,  /* the identity is proved; the account's second factor is not */
    FLOW_LINK,  /* the identity is proved; that the account with its address is theirs is not */
    FLOW_AGREE, /* the identity is proved; that they agree to what an account needs is not said */
} FlowStage;

typedef enum FlowPurpose {
    FLOW_SIGN_IN,
    FLOW_ADD,   /* an identity to the account that is signed in */
    FLOW_PROVE, /* who is signed in, again */
} FlowPurpose;

/* Strings are never NULL. */
typedef struct Flow {
    int stage, purpose;
    const char *issuer; /* its name */
    const char *id;     /* random: `state` while it is FLOW_SENT */
    const char *nonce, *verifier;
    const char *back;    /* a path of ours */
    const char *session; /* the one that it was begun with; "": none */
    bool fresh;          /* the issuer was told to ask for a proof */
    uint64_t created_s;
    /* Once the identity is proved. */
    const char *subject, *email;
    uint64_t authenticated_s;         /* 0: not known */
    const char *name, *locale, *zone; /* of the account that is to be opened */
} Flow;

/* Fills id and created_s, and what the protocol needs to be random. */
void flow_begin(Flow *flow, Arena *arena, int64_t now_us);

/* The Set-Cookie value that keeps it; flow NULL: that takes it back. */
const char *flow_cookie(UserCall *call, const uint8_t key[AEAD_KEY_LEN], const Flow *flow);
/* That of the request. False: none, not ours, or too old. */
bool flow_read(UserCall *call, const uint8_t key[AEAD_KEY_LEN], Flow *ret_flow);
/* Uses it up. False: it was before. */
bool flow_use(UserCall *call, const Flow *flow);
bool flow_was_used(UserCall *call, const Flow *flow);

/* Whether `back` is a path on this server, however a browser reads it. */
bool flow_back_is_ours(const char *back);
