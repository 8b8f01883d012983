/* SPDX-License-Identifier: Apache-2.0 */
#include "base/uuid.h"

#include "base/crypto/random.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

/* Milliseconds since 1970 in 48 bits, then the fraction in 12. */
static uint64_t now_ticks(void) {
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000) << 12 |
           ((uint64_t)now.tv_nsec % 1000000 << 12) / 1000000;
}

/* The one place of state: no two calls in the process get the same ticks. */
static uint64_t next_ticks(void) {
    static _Atomic uint64_t last;
    uint64_t seen = atomic_load(&last), next;

    do {
        next = MAX(now_ticks(), seen + 1);
    } while (!atomic_compare_exchange_weak(&last, &seen, next));
    return next;
}

Uuid uuid_new(void) {
    uint64_t ticks = next_ticks();
    Uuid uuid;

    random_bytes(uuid.bytes + 8, 8);
    for (unsigned i = 0; i < 6; i++) {
        uuid.bytes[i] = (uint8_t)(ticks >> (52 - 8 * i));
    }
    uuid.bytes[6] = (uint8_t)(0x70 | (ticks >> 8 & 0x0f));
    uuid.bytes[7] = (uint8_t)ticks;
    uuid.bytes[8] = (uint8_t)(0x80 | (uuid.bytes[8] & 0x3f));
    return uuid;
}

uint64_t uuid_unix_ms(const Uuid *uuid) {
    uint64_t ms = 0;

    for (unsigned i = 0; i < 6; i++) {
        ms = ms << 8 | uuid->bytes[i];
    }
    return ms;
}

static bool dash_follows(unsigned byte) {
    return byte == 3 || byte == 5 || byte == 7 || byte == 9;
}

void uuid_text(const Uuid *uuid, char ret_text[UUID_TEXT_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    char *at = ret_text;

    for (unsigned i = 0; i < 16; i++) {
        *at++ = digits[uuid->bytes[i] >> 4];
        *at++ = digits[uuid->bytes[i] & 15];
        if (dash_follows(i)) {
            *at++ = '-';
        }
    }
    *at = '\0';
}

static int digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

int uuid_parse(Str text, Uuid *ret_uuid) {
    const char *at = text.ptr;
    Uuid uuid;

    if (text.len != UUID_TEXT_SIZE - 1) {
        return -EINVAL;
    }
    for (unsigned i = 0; i < 16; i++) {
        int high = digit(at[0]), low = digit(at[1]);
        if (high < 0 || low < 0 || (dash_follows(i) && at[2] != '-')) {
            return -EINVAL;
        }
        uuid.bytes[i] = (uint8_t)(high << 4 | low);
        at += dash_follows(i) ? 3 : 2;
    }
    if (uuid.bytes[6] >> 4 != 7 || uuid.bytes[8] >> 6 != 2) {
        return -EINVAL;
    }
    *ret_uuid = uuid;
    return 0;
}

int uuid_from_str(Str bytes, Uuid *ret_uuid) {
    if (bytes.len != sizeof(ret_uuid->bytes)) {
        return -EINVAL;
    }
    memcpy(ret_uuid->bytes, bytes.ptr, sizeof(ret_uuid->bytes));
    return 0;
}
