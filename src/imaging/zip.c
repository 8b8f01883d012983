/* SPDX-License-Identifier: Apache-2.0 */
#include "imaging/zip.h"

#include "base/error.h"

#include <zlib.h>

#define LOCAL_SIZE   30
#define CENTRAL_SIZE 46
#define END_SIZE     22
#define SIZE_MAX_ZIP (2UL << 30)
#define VERSION      20
#define DATE         0x0021 /* 1 January 1980, the first day there is */

typedef struct Writer {
    uint8_t *bytes;
    size_t at;
} Writer;

static void put16(Writer *to, uint32_t value) {
    to->bytes[to->at++] = (uint8_t)value;
    to->bytes[to->at++] = (uint8_t)(value >> 8);
}

static void put32(Writer *to, uint32_t value) {
    put16(to, value & 0xffff);
    put16(to, value >> 16);
}

static void put(Writer *to, const void *bytes, size_t len) {
    memcpy(to->bytes + to->at, bytes, len);
    to->at += len;
}

/* The fields that a local header and its entry in the directory share (4.3.7, 4.3.12). */
static void put_fields(Writer *to, const ZipMember *member) {
    uint32_t len = (uint32_t)member->bytes.len;

    put16(to, VERSION);
    put16(to, 0); /* flags */
    put16(to, 0); /* stored */
    put16(to, 0); /* time */
    put16(to, DATE);
    put32(to, (uint32_t)crc32_z(0, (const Bytef *)member->bytes.ptr, member->bytes.len));
    put32(to, len);
    put32(to, len);
    put16(to, (uint32_t)strlen(member->name));
    put16(to, 0); /* extra field */
}

static void put_local(Writer *to, const ZipMember *member) {
    put32(to, 0x04034b50);
    put_fields(to, member);
    put(to, member->name, strlen(member->name));
    put(to, member->bytes.ptr, member->bytes.len);
}

static void put_central(Writer *to, const ZipMember *member, size_t offset) {
    put32(to, 0x02014b50);
    put16(to, VERSION);
    put_fields(to, member);
    put16(to, 0); /* comment */
    put16(to, 0); /* disk */
    put16(to, 0); /* internal attributes */
    put32(to, 0); /* external attributes */
    put32(to, (uint32_t)offset);
    put(to, member->name, strlen(member->name));
}

static void put_end(Writer *to, size_t count, size_t start) {
    size_t len = to->at - start;

    put32(to, 0x06054b50);
    put16(to, 0);
    put16(to, 0);
    put16(to, (uint32_t)count);
    put16(to, (uint32_t)count);
    put32(to, (uint32_t)len);
    put32(to, (uint32_t)start);
    put16(to, 0); /* comment */
}

int zip_write(const ZipMember *members, size_t count, void **ret_bytes, size_t *ret_len) {
    size_t size = END_SIZE, offset = 0, start;
    Writer to = {0};

    for (size_t i = 0; i < count; i++) {
        if (members[i].bytes.len > SIZE_MAX_ZIP) {
            return -EFBIG;
        }
        size += LOCAL_SIZE + CENTRAL_SIZE + 2 * strlen(members[i].name) + members[i].bytes.len;
    }
    if (size > SIZE_MAX_ZIP) {
        return -EFBIG;
    }
    to.bytes = malloc(size);
    if (!to.bytes) {
        return err_trace(-ENOMEM);
    }
    for (size_t i = 0; i < count; i++) {
        put_local(&to, &members[i]);
    }
    start = to.at;
    for (size_t i = 0; i < count; i++) {
        put_central(&to, &members[i], offset);
        offset += LOCAL_SIZE + strlen(members[i].name) + members[i].bytes.len;
    }
    put_end(&to, count, start);
    *ret_bytes = to.bytes;
    *ret_len = to.at;
    return 0;
}
