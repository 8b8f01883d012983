/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/passwords.h"

#include "services/user/opaque_string.h"
#include "services/user/text.h"

#include <ctype.h>

/*
 * What is tried first everywhere, of the lengths that are allowed: the top of every published list
 * of leaked passwords, and runs over a keyboard. A list of millions comes with breached-passwords.
 */
static const char *const common[] = {
    "1234567890",  "0123456789",   "12345678910",   "0987654321",  "qwertyuiop",  "1q2w3e4r5t",
    "password12",  "password123",  "password1234",  "passw0rd123", "iloveyou12",  "1qaz2wsx3edc",
    "qwerty12345", "qwerty123456", "administrator", "welcome123",  "letmein123",  "abc1234567",
    "abcdefghij",  "asdfghjkl1",   "sunshine123",   "football123", "baseball123", "dragon1234",
    "princess123", "superman123",  "trustno1234",   "changeme123", "q1w2e3r4t5",  "zaq12wsxcde3",
};

/* Whether it is one of so few different characters that there is nothing to guess. */
static bool is_monotonous(const char *password) {
    bool seen[256] = {false};
    unsigned different = 0;

    for (const char *c = password; *c; c++) {
        different += !seen[(unsigned char)*c];
        seen[(unsigned char)*c] = true;
    }
    return different < 5;
}

static bool is_common(const char *password) {
    for (size_t i = 0; i < ARRAY_LEN(common); i++) {
        if (strcasecmp(common[i], password) == 0) {
            return true;
        }
    }
    return false;
}

/* The part of the address before the @, when it is long enough to mean something. */
static bool has_own_name(Arena *arena, const char *password, const char *email) {
    const char *at = email ? strchr(email, '@') : NULL;
    size_t len = at ? (size_t)(at - email) : 0;

    return len >= 4 && strcasestr(password, arena_strdup(arena, (Str){email, len})) != NULL;
}

static UserFailure check_breached(UserCall *call, const char *password) {
    const BreachedList *list = call->service->breached;
    bool found = false;
    int r = list ? breached_list_has(list, str_from(password), &found) : 0;

    if (r < 0) {
        return user_call_fault(call, r);
    }
    if (found) {
        call->detail = "It is among the passwords that became public in a breach: choose another.";
        return USER_FAILURE_WEAK_PASSWORD;
    }
    return USER_FAILURE_NONE;
}

static UserFailure check_prepared(UserCall *call, const char *password, const char *email) {
    size_t min = call->service->options.settings->password_length_min;

    if (text_characters(password) < min || strlen(password) < PASSWORD_LEN_MIN) {
        call->detail = arena_printf(call->arena, "Give at least %zu characters.", min);
    } else if (strlen(password) > PASSWORD_LEN_MAX) {
        call->detail = arena_printf(call->arena, "Give at most %d bytes.", PASSWORD_LEN_MAX);
    } else if (is_monotonous(password) || is_common(password)) {
        call->detail = "It is among those that are tried first: choose another.";
    } else if (has_own_name(call->arena, password, email)) {
        call->detail = "It holds your own address: choose another.";
    } else {
        return check_breached(call, password);
    }
    return USER_FAILURE_WEAK_PASSWORD;
}

UserFailure passwords_check(UserCall *call, const char *password, const char *email) {
    const char *prepared;

    if (!password[0]) {
        return check_prepared(call, password, email);
    }
    if (opaque_string(str_from(password), call->arena, &prepared) < 0) {
        call->detail = "It has a control character, or one that cannot be seen or is not assigned: "
                       "choose another.";
        return USER_FAILURE_WEAK_PASSWORD;
    }
    return check_prepared(call, prepared, email);
}

static UserFailure busy(UserCall *call) {
    call->retry_after_s = 2;
    call->detail = "Many people are signing in just now. Please try again in a moment.";
    return USER_FAILURE_UNAVAILABLE;
}

/* The one form of it; itself, when it has none because it was chosen before that was asked for. */
static const char *prepare(UserCall *call, const char *password) {
    const char *prepared;

    return opaque_string(str_from(password), call->arena, &prepared) == 0 ? prepared : password;
}

UserFailure passwords_hash(UserCall *call, const char *password, const char **ret_phc) {
    char hash[PASSWORD_HASH_SIZE];
    int r = password_hash(call->service->hasher, str_from(prepare(call, password)), hash);

    if (r != 0) {
        return r == PASSWORD_E_BUSY ? busy(call) : user_call_fault(call, r);
    }
    *ret_phc = arena_strdup(call->arena, str_from(hash));
    return USER_FAILURE_NONE;
}

UserFailure passwords_verify(UserCall *call, const char *password, const char *phc,
                             bool *ret_outdated) {
    PasswordHasher *hasher = call->service->hasher;
    const char *prepared = prepare(call, password);
    bool was_raw = false;
    int r = password_verify(hasher, str_from(prepared), phc);

    if (r == PASSWORD_E_WRONG && strcmp(prepared, password) != 0) {
        /* Hashed as it was typed, before there was one form. */
        was_raw = true;
        r = password_verify(hasher, str_from(password), phc);
    }
    switch (r) {
    case 0:
        if (ret_outdated) {
            *ret_outdated = was_raw || password_needs_rehash(hasher, phc);
        }
        return USER_FAILURE_NONE;
    case PASSWORD_E_WRONG:
        return USER_FAILURE_WRONG_CREDENTIALS;
    case PASSWORD_E_BUSY:
        return busy(call);
    default:
        return user_call_fault(call, r);
    }
}
