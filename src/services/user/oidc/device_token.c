/* SPDX-License-Identifier: Apache-2.0 */

/* The token endpoint for programs that wait until somebody has decided (RFC 8628 3.4, 3.5). */

#include "base/crypto/base64url.h"
#include "base/error.h"
#include "services/user/oidc/device_store.h"
#include "services/user/oidc/oidc.h"

typedef struct Poll {
    UserCall *call;
    const OauthClient *client;
    uint8_t device_hash[DIGEST_LEN];
    const char *error; /* NULL: `grant` is redeemed */
    Grant grant;
} Poll;

/* Two programs hold the code, or one has lost the answer: what was given is taken back, as with an
 * authorization code (RFC 6749 4.1.2). */
static int end_grant(DbTx *tx, Poll *poll, const DeviceRequest *request) {
    UserCall *call = poll->call;
    AuditEvent event = user_call_event(call, "client.token_reused", poll->client->id);
    _cleanup_(account_done) Account account = {0};
    int r = account_store_get(tx, call->service->vault, &request->user_id, call->arena, &account);

    if (r != 0) {
        return r < 0 ? err_trace(r) : 0;
    }
    r = grant_store_remove(tx, &request->user_id, &request->grant_id);
    if (r == 0) {
        r = audit_append(tx, call->service->vault, &account.key, call->now_us, call->arena, &event);
    }
    return r < 0 ? err_trace(r) : 0;
}

static int redeem(DbTx *tx, Poll *poll, DeviceRequest *request) {
    UserCall *call = poll->call;
    _cleanup_(account_done) Account account = {0};
    int r = account_store_get(tx, call->service->vault, &request->user_id, call->arena, &account);

    if (r == 0) {
        r = grant_store_get(tx, &account.key, &request->grant_id, call->arena, &poll->grant);
    }
    /* Signed out everywhere since, or locked: what was allowed is no more. */
    if (r != 0 || account.status != ACCOUNT_ACTIVE) {
        poll->error = "access_denied";
        return r < 0 ? err_trace(r) : 0;
    }
    poll->grant.counter++;
    poll->grant.expires_us = oidc_grant_end_us(call, &poll->grant);
    request->state = DEVICE_REDEEMED;
    r = grant_store_put(tx, &poll->grant);
    if (r == 0) {
        r = device_store_put(tx, request);
    }
    return r < 0 ? err_trace(r) : 0;
}

static int wait_on(DbTx *tx, Poll *poll, DeviceRequest *request) {
    int64_t passed_us = poll->call->now_us - request->polled_us;
    /* A tenth less: the way here does not always take equally long. */
    bool too_soon = request->polled_us > 0 && passed_us < request->interval_s * 900000;

    poll->error = too_soon ? "slow_down" : "authorization_pending";
    request->interval_s += too_soon ? DEVICE_SLOWER_S : 0;
    request->polled_us = poll->call->now_us;
    return err_trace(device_store_put(tx, request));
}

static int poll_in(DbTx *tx, void *userdata) {
    Poll *poll = userdata;
    UserCall *call = poll->call;
    const UserKey *service_key = vault_service_key(call->service->vault);
    DeviceRequest request;
    int r = device_store_get(tx, service_key, poll->device_hash, call->arena, &request);

    poll->error = "invalid_grant";
    if (r != 0 || strcmp(request.client_id, poll->client->id) != 0) {
        return r < 0 ? err_trace(r) : 0;
    }
    if (request.state == DEVICE_REDEEMED) {
        return end_grant(tx, poll, &request);
    }
    if (request.expires_us <= call->now_us) {
        poll->error = "expired_token";
        return 0;
    }
    if (request.state == DEVICE_DENIED) {
        poll->error = "access_denied";
        return 0;
    }
    if (request.state == DEVICE_UNDECIDED) {
        return wait_on(tx, poll, &request);
    }
    poll->error = NULL;
    return redeem(tx, poll, &request);
}

void oidc_device_poll(UserCall *call, const OauthClient *client, const Form *form) {
    const char *code = oidc_field(call, form, "device_code");
    Poll poll = {.call = call, .client = client, .error = "invalid_grant"};
    _cleanup_(json_decrefp) json_t *body = NULL;
    int r = 0;

    if (!client->device_grant) {
        oidc_respond_error(call, 400, "unauthorized_client", NULL);
        return;
    }
    if (!code) {
        oidc_respond_error(call, 400, "invalid_request", "device_code: missing.");
        return;
    }
    if (strlen(code) == DEVICE_CODE_LEN) {
        digest_sha256(str_from(code), poll.device_hash);
        r = db_write(call->service->options.db, poll_in, &poll, NULL);
    }
    if (r == 0 && poll.error) {
        oidc_respond_error(call, 400, poll.error, NULL);
        return;
    }
    if (r == 0) {
        r = oidc_tokens(call, client, &poll.grant, poll.grant.scopes,
                        poll.grant.scopes & SCOPE_OFFLINE_ACCESS, false, &body);
    }
    explicit_bzero(poll.grant.secret, sizeof(poll.grant.secret));
    if (r != 0) {
        oidc_respond_fault(call, r < 0 ? r : -EIO);
        return;
    }
    oidc_respond_json(call, 200, body, NULL);
}
