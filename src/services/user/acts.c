/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/acts.h"

#include "base/error.h"
#include "services/user/api_key_store.h"
#include "services/user/session_store.h"

#include <inttypes.h>
#include <stdio.h>

const char *act_amount_text(int64_t hundredths, char text[ACT_AMOUNT_SIZE]) {
    uint64_t size = hundredths < 0 ? -(uint64_t)hundredths : (uint64_t)hundredths;
    const char *sign = hundredths < 0 ? "-" : "";

    if (size % 100 == 0) {
        snprintf(text, ACT_AMOUNT_SIZE, "%s%" PRIu64, sign, size / 100);
    } else {
        snprintf(text, ACT_AMOUNT_SIZE, "%s%" PRIu64 ".%02u", sign, size / 100,
                 (unsigned)(size % 100));
    }
    return text;
}

int act_amount_parse(Str text, int64_t *ret_hundredths) {
    bool negative = text.len > 0 && text.ptr[0] == '-';
    Str fraction = {text.ptr + negative, text.len - negative}, whole = {0};
    uint64_t credits = 0, hundredths = 0;
    bool has_point = memchr(fraction.ptr ? fraction.ptr : "", '.', fraction.len) != NULL;

    if (!str_next_token(&fraction, ".", &whole) || str_to_u64(whole, &credits) < 0 ||
        credits > CREDIT_BALANCE_MAX / 100 - 1) {
        return -EINVAL;
    }
    if (has_point) {
        if (fraction.len < 1 || fraction.len > 2 || str_to_u64(fraction, &hundredths) < 0) {
            return -EINVAL;
        }
        hundredths *= fraction.len == 1 ? 10 : 1;
    }
    *ret_hundredths = (int64_t)(credits * 100 + hundredths) * (negative ? -1 : 1);
    return 0;
}

static int grant(DbTx *tx, Act *act) {
    int r = credit_store_add(tx, &act->user_id, act->amount, act->now_us, act->arena);

    switch (r) {
    case 0:
        r = credit_store_get(tx, &act->user_id, act->now_us, act->arena, &act->credits);
        return err_trace(r);
    case CREDIT_E_LITTLE:
        return ACT_E_LITTLE;
    case CREDIT_E_MUCH:
        return ACT_E_MUCH;
    default:
        return err_trace(r);
    }
}

static int set_status(DbTx *tx, const Vault *vault, Act *act, Account *account) {
    int r;

    if (account->status == ACCOUNT_ERASING) {
        return ACT_E_ERASING;
    }
    /* One that was locked when it was asked for goes on waiting for its end. */
    if (act->value == ACCOUNT_ACTIVE && account->erase_us != 0) {
        act->value = ACCOUNT_ERASING;
    }
    account->status = act->value;
    r = account_store_put(tx, vault, act->arena, account);
    if (r == 0 && act->value == ACCOUNT_LOCKED) {
        r = session_store_remove_all(tx, &act->user_id, NULL, act->arena, &act->session_ids,
                                     &act->n_sessions);
    }
    if (r == 0) {
        r = api_key_store_ids(tx, &act->user_id, act->arena, &act->key_ids, &act->n_keys);
    }
    /* Both were read in this transaction, so neither is stale nor taken. */
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

static int set_role(DbTx *tx, const Vault *vault, Act *act, Account *account) {
    int r;

    account->role = act->value;
    r = account_store_put(tx, vault, act->arena, account);
    return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
}

/* What is told of it in the trail: "+5 by ...: reason". */
static const char *subject(const Act *act) {
    const char *colon = act->reason && act->reason[0] ? ": " : "";
    const char *reason = act->reason ? act->reason : "";
    char amount[ACT_AMOUNT_SIZE];
    const char *what = "";

    switch (act->kind) {
    case ACT_GRANT:
        what = act_amount_text(act->amount, amount);
        break;
    case ACT_STATUS:
        what = account_status_names[act->value];
        break;
    case ACT_ROLE:
        what = account_role_names[act->value];
        break;
    }
    return arena_printf(act->arena, "%s by %s%s%s", what, act->by, colon, reason);
}

int act_do(DbTx *tx, const Vault *vault, Act *act) {
    static const char *const actions[] = {[ACT_GRANT] = "credits.granted",
                                          [ACT_STATUS] = "account.status",
                                          [ACT_ROLE] = "account.role"};
    /* Where the admin was is no business of the one whose trail this is. */
    AuditEvent event = {.action = actions[act->kind], .session = act->session};
    _cleanup_(account_done) Account account = {0};
    int r = account_store_get(tx, vault, &act->user_id, act->arena, &account);

    if (r != 0) {
        return r < 0 ? err_trace(r) : ACT_E_NONE;
    }
    switch (act->kind) {
    case ACT_GRANT:
        r = grant(tx, act);
        break;
    case ACT_STATUS:
        r = set_status(tx, vault, act, &account);
        break;
    case ACT_ROLE:
        r = set_role(tx, vault, act, &account);
        break;
    }
    if (r != 0) {
        return r < 0 ? err_trace(r) : r;
    }
    event.subject = subject(act);
    return err_trace(audit_append(tx, vault, &account.key, act->now_us, act->arena, &event));
}
