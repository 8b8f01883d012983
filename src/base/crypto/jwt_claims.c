/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto/jwt_claims.h"

#include "base/crypto/base64url.h"

#include <errno.h>

#define DIGITS_MAX 15 /* exact in a double too */

typedef struct Reader {
    const char *at, *end;
} Reader;

static char peek(Reader *reader) {
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t' ||
                                        *reader->at == '\n' || *reader->at == '\r')) {
        reader->at++;
    }
    if (reader->at == reader->end) {
        return '\0';
    }
    return *reader->at;
}

static bool take(Reader *reader, char c) {
    bool found = peek(reader) == c && reader->at < reader->end;

    reader->at += found;
    return found;
}

/* Printable ASCII without escapes. */
static bool flat_string(Reader *reader, Str *ret_string) {
    const char *start;

    if (!take(reader, '"')) {
        return false;
    }
    start = reader->at;
    for (; reader->at < reader->end && *reader->at != '"'; reader->at++) {
        if (*reader->at < ' ' || *reader->at > '~' || *reader->at == '\\') {
            return false;
        }
    }
    if (reader->at == reader->end) {
        return false;
    }
    *ret_string = (Str){start, (size_t)(reader->at - start)};
    reader->at++;
    return true;
}

/* Whole and not negative; what follows the digits is seen by whoever reads on. */
static bool flat_number(Reader *reader, int64_t *ret_number) {
    const char *start = reader->at;
    int64_t number = 0;

    for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
        if (reader->at - start == DIGITS_MAX) {
            return false;
        }
        number = number * 10 + (*reader->at - '0');
    }
    *ret_number = number;
    return reader->at > start && (*start != '0' || reader->at - start == 1);
}

static bool flat_word(Reader *reader) {
    static const Str words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    Str rest = {reader->at, (size_t)(reader->end - reader->at)};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_starts_with(rest, words[i])) {
            reader->at += words[i].len;
            return true;
        }
    }
    return false;
}

static bool flat_value(Reader *reader, JwtValue *ret_value) {
    char first = peek(reader);
    JwtValue value = {.type = JWT_VALUE_OTHER};

    if (first == '"') {
        value.type = JWT_VALUE_STRING;
        if (!flat_string(reader, &value.string)) {
            return false;
        }
    } else if (first >= '0' && first <= '9') {
        value.type = JWT_VALUE_NUMBER;
        if (!flat_number(reader, &value.integer)) {
            return false;
        }
        value.number = (double)value.integer;
    } else if (!flat_word(reader)) {
        return false;
    }
    *ret_value = value;
    return true;
}

static const JwtMember *find(const JwtClaims *claims, Str name) {
    for (size_t i = 0; i < claims->n_members; i++) {
        if (str_equal(claims->members[i].name, name)) {
            return &claims->members[i];
        }
    }
    return NULL;
}

static bool flat_member(Reader *reader, JwtClaims *claims) {
    JwtMember member;

    if (claims->n_members == JWT_CLAIMS_FLAT || !flat_string(reader, &member.name) ||
        find(claims, member.name) || !take(reader, ':') || !flat_value(reader, &member.value)) {
        return false;
    }
    claims->members[claims->n_members++] = member;
    return true;
}

/* False: not flat, which says nothing of whether it is JSON. */
static bool flat_object(JwtClaims *claims) {
    Reader reader = {claims->text, claims->text + claims->len};

    if (!take(&reader, '{')) {
        return false;
    }
    if (!take(&reader, '}')) {
        do {
            if (!flat_member(&reader, claims)) {
                return false;
            }
        } while (take(&reader, ','));
        if (!take(&reader, '}')) {
            return false;
        }
    }
    peek(&reader);
    return reader.at == reader.end;
}

int jwt_claims_read(Str encoded, JwtClaims *ret_claims) {
    ret_claims->tree = NULL;
    ret_claims->n_members = 0;
    if (base64url_decode_into(encoded, (uint8_t *)ret_claims->text, sizeof(ret_claims->text),
                              &ret_claims->len) < 0) {
        return -EINVAL;
    }
    if (flat_object(ret_claims)) {
        return 0;
    }
    ret_claims->tree = json_loadb(ret_claims->text, ret_claims->len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(ret_claims->tree)) {
        jwt_claims_done(ret_claims);
        return -EINVAL;
    }
    return 0;
}

void jwt_claims_done(JwtClaims *claims) {
    json_decref(claims->tree);
    claims->tree = NULL;
    claims->n_members = 0;
}

static JwtValue value_of(const json_t *json) {
    JwtValue value = {.type = json ? JWT_VALUE_OTHER : JWT_VALUE_ABSENT};

    if (json_is_object(json) || json_is_array(json)) {
        value.json = json;
    } else if (json_is_string(json)) {
        value.type = JWT_VALUE_STRING;
        value.string = (Str){json_string_value(json), json_string_length(json)};
    } else if (json_is_number(json)) {
        value.type = JWT_VALUE_NUMBER;
        value.number = json_number_value(json);
        value.integer = json_integer_value(json);
    }
    return value;
}

JwtValue jwt_claims_get(const JwtClaims *claims, const char *name) {
    const JwtMember *member;

    if (claims->tree) {
        return value_of(json_object_get(claims->tree, name));
    }
    member = find(claims, str_from(name));
    return member ? member->value : (JwtValue){.type = JWT_VALUE_ABSENT};
}

Str jwt_claims_string(const JwtClaims *claims, const char *name) {
    return jwt_claims_get(claims, name).string;
}

json_t *jwt_claims_tree(const JwtClaims *claims) {
    return claims->tree ? json_incref(claims->tree)
                        : json_loadb(claims->text, claims->len, JSON_REJECT_DUPLICATES, NULL);
}
