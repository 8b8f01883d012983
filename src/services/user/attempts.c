/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/attempts.h"

static UserFailure judge(UserCall *call, uint32_t wait_s) {
    if (wait_s == 0) {
        return USER_FAILURE_NONE;
    }
    call->retry_after_s = wait_s;
    call->detail = arena_printf(call->arena, "Please try again in %u seconds.", wait_s);
    return USER_FAILURE_TOO_MANY;
}

static UserFailure take_network(UserCall *call, AttemptKind kind) {
    return judge(call, attempt_counts_take_network(call->service->attempts, kind,
                                                   http_request_peer(call->request), call->now_us));
}

static UserFailure take(UserCall *call, AttemptKind kind, Str account) {
    return judge(call, attempt_counts_take(call->service->attempts, kind, account,
                                           http_request_peer(call->request), call->now_us));
}

UserFailure attempts_take_network(UserCall *call) {
    return take_network(call, ATTEMPT_NETWORK);
}

UserFailure attempts_take_account(UserCall *call, const char *email) {
    UserFailure failure = attempts_take_network(call);

    return failure == USER_FAILURE_NONE ? take(call, ATTEMPT_PASSWORD, str_from(email)) : failure;
}

UserFailure attempts_take_code(UserCall *call, const char *email) {
    return take(call, ATTEMPT_CODE, str_from(email));
}

UserFailure attempts_take_mail(UserCall *call, const char *email) {
    UserFailure failure = attempts_take_network(call);

    return failure == USER_FAILURE_NONE ? take(call, ATTEMPT_MAIL, str_from(email)) : failure;
}

UserFailure attempts_take_device(UserCall *call) {
    return take_network(call, ATTEMPT_DEVICE);
}

UserFailure attempts_take_user_code(UserCall *call) {
    UserFailure failure = attempts_take_network(call);

    return failure == USER_FAILURE_NONE
               ? take(call, ATTEMPT_USER_CODE, uuid_str(&call->session.user_id))
               : failure;
}

void attempts_succeeded(UserCall *call, const char *email) {
    attempt_counts_succeeded(call->service->attempts, str_from(email),
                             http_request_peer(call->request));
}
