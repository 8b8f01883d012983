/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/tiff.h"

#define ENTRY_LEN 12
#define BIGTIFF   43

static const uint8_t sizes[_TIFF_TYPE_MAX] = {
    [TIFF_BYTE] = 1,     [TIFF_ASCII] = 1,     [TIFF_SHORT] = 2,     [TIFF_LONG] = 4,
    [TIFF_RATIONAL] = 8, [TIFF_SBYTE] = 1,     [TIFF_UNDEFINED] = 1, [TIFF_SSHORT] = 2,
    [TIFF_SLONG] = 4,    [TIFF_SRATIONAL] = 8, [TIFF_FLOAT] = 4,     [TIFF_DOUBLE] = 8,
    [TIFF_IFD] = 4,
};

/* A number of 2 or 4 bytes; 0 beyond what is there. */
static uint32_t number_at(Str bytes, bool big, uint64_t at, size_t n) {
    uint32_t value = 0;

    if (at > bytes.len || n > bytes.len - at) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        value = value << 8 | (uint8_t)bytes.ptr[at + (big ? i : n - 1 - i)];
    }
    return value;
}

bool tiff_open(Str bytes, TiffDirectory *ret_first) {
    TiffDirectory first = {.bytes = bytes};

    if (bytes.len < 8 || bytes.ptr[0] != bytes.ptr[1] ||
        (bytes.ptr[0] != 'I' && bytes.ptr[0] != 'M')) {
        return false;
    }
    first.big = bytes.ptr[0] == 'M';
    first.at = number_at(bytes, first.big, 4, 4);
    if (number_at(bytes, first.big, 2, 2) == BIGTIFF) {
        return false;
    }
    *ret_first = first;
    return true;
}

TiffDirectory tiff_directory(const TiffDirectory *other, uint32_t at) {
    return (TiffDirectory){other->bytes, other->big, at};
}

static uint32_t entries(const TiffDirectory *directory) {
    return directory->at == 0 ? 0 : number_at(directory->bytes, directory->big, directory->at, 2);
}

TiffDirectory tiff_following(const TiffDirectory *directory) {
    uint32_t n = entries(directory);
    uint64_t end = directory->at + (uint64_t)2 + (uint64_t)ENTRY_LEN * n;

    return tiff_directory(directory,
                          n > 0 ? number_at(directory->bytes, directory->big, end, 4) : 0);
}

static bool read_entry(const TiffDirectory *directory, uint64_t at, TiffEntry *ret_entry) {
    TiffEntry entry = {.big = directory->big};
    Str bytes = directory->bytes;
    uint64_t len, from = at + 8;

    entry.type = (uint16_t)number_at(bytes, entry.big, at + 2, 2);
    entry.count = number_at(bytes, entry.big, at + 4, 4);
    if (entry.type >= _TIFF_TYPE_MAX || sizes[entry.type] == 0) {
        return false;
    }
    len = (uint64_t)entry.count * sizes[entry.type];
    if (len > 4) {
        from = number_at(bytes, entry.big, at + 8, 4);
    }
    if (from > bytes.len || len > bytes.len - from) {
        return false;
    }
    entry.value = (Str){bytes.ptr + from, (size_t)len};
    *ret_entry = entry;
    return true;
}

bool tiff_find(const TiffDirectory *directory, unsigned tag, TiffEntry *ret_entry) {
    uint32_t n = MIN(entries(directory), (uint32_t)TIFF_ENTRIES_MAX);
    uint64_t at = directory->at + (uint64_t)2;

    for (; n > 0 && at + ENTRY_LEN <= directory->bytes.len; n--, at += ENTRY_LEN) {
        if (number_at(directory->bytes, directory->big, at, 2) == tag &&
            read_entry(directory, at, ret_entry)) {
            return true;
        }
    }
    return false;
}

bool tiff_number(const TiffEntry *entry, uint32_t index, uint32_t *ret_number) {
    size_t size = sizes[entry->type];

    if (index >= entry->count || (entry->type != TIFF_BYTE && entry->type != TIFF_SHORT &&
                                  entry->type != TIFF_LONG && entry->type != TIFF_IFD)) {
        return false;
    }
    *ret_number = number_at(entry->value, entry->big, (uint64_t)index * size, size);
    return true;
}

uint32_t tiff_find_number(const TiffDirectory *directory, unsigned tag) {
    TiffEntry entry;
    uint32_t number;

    return tiff_find(directory, tag, &entry) && tiff_number(&entry, 0, &number) ? number : 0;
}

bool tiff_fraction(const TiffEntry *entry, uint32_t index, double *ret_value) {
    uint64_t at = (uint64_t)index * 8;
    uint32_t above, below;

    if (index >= entry->count || (entry->type != TIFF_RATIONAL && entry->type != TIFF_SRATIONAL)) {
        return false;
    }
    above = number_at(entry->value, entry->big, at, 4);
    below = number_at(entry->value, entry->big, at + 4, 4);
    if (below == 0) {
        return false;
    }
    *ret_value = entry->type == TIFF_RATIONAL ? (double)above / below
                                              : (double)(int32_t)above / (int32_t)below;
    return true;
}

Str tiff_text(const TiffEntry *entry) {
    Str text = entry->type == TIFF_ASCII ? entry->value : (Str){0};

    text.len = text.len > 0 ? strnlen(text.ptr, text.len) : 0;
    return text;
}
