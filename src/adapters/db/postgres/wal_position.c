/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/postgres/wal_position.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>

/* One to eight hexadecimal digits up to `end`, which is passed over. */
static int parse_hex32(const char **at, char end, uint32_t *ret_value) {
    uint32_t value = 0;
    unsigned n = 0;

    for (; **at != end; (*at)++, n++) {
        char c = **at;
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16 || n == 8) {
            return -EINVAL;
        }
        value = value << 4 | digit;
    }
    if (n == 0) {
        return -EINVAL;
    }
    if (end != '\0') {
        (*at)++;
    }
    *ret_value = value;
    return 0;
}

void wal_position_format(WalPosition position, DbToken *ret_token) {
    *ret_token = (DbToken){0};
    snprintf(ret_token->text, sizeof(ret_token->text), "%08" PRIX32 "-%08" PRIX32 "/%08" PRIX32,
             position.timeline, (uint32_t)(position.lsn >> 32), (uint32_t)position.lsn);
}

int wal_position_parse(const DbToken *token, WalPosition *ret_position) {
    const char *at = token->text;
    uint32_t timeline, high, low;

    if (*at == '\0') {
        *ret_position = (WalPosition){0};
        return 0;
    }
    if (parse_hex32(&at, '-', &timeline) < 0 || parse_hex32(&at, '/', &high) < 0 ||
        parse_hex32(&at, '\0', &low) < 0) {
        return -EINVAL;
    }
    *ret_position = (WalPosition){timeline, (uint64_t)high << 32 | low};
    return 0;
}
