/* SPDX-License-Identifier: Apache-2.0 */
#include "app/backup/file_set.h"

#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>

#define PIECE ((size_t)1 << 20)

static void free_context(EVP_MD_CTX **context) {
    EVP_MD_CTX_free(*context);
}

static EVP_MD_CTX *sha256_new(void) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    if (!context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
        abort();
    }
    return context;
}

void file_set_done(FileSet *set) {
    free(set->entries);
    *set = (FileSet){0};
}

void file_set_add(FileSet *set, const FileEntry *entry) {
    if (set->n == set->capacity) {
        set->capacity = MAX(2 * set->capacity, (size_t)64);
        set->entries = reallocarray(set->entries, set->capacity, sizeof(*set->entries));
        if (!set->entries) {
            abort();
        }
    }
    set->entries[set->n++] = *entry;
    set->bytes += entry->size;
}

static int compare(const void *a, const void *b) {
    return strcmp(((const FileEntry *)a)->name, ((const FileEntry *)b)->name);
}

void file_set_sort(FileSet *set) {
    if (set->n > 0) {
        qsort(set->entries, set->n, sizeof(*set->entries), compare);
    }
    set->n_sorted = set->n;
}

const FileEntry *file_set_find(const FileSet *set, const char *name) {
    size_t low = 0, high = set->n_sorted;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(set->entries[middle].name, name);
        if (order == 0) {
            return &set->entries[middle];
        }
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    return NULL;
}

void file_set_write(const FileSet *set, Buf *out) {
    for (size_t i = 0; i < set->n; i++) {
        char hex[DIGEST_HEX_SIZE];
        hex_encode((Str){(const char *)set->entries[i].sha256, DIGEST_LEN}, hex);
        buf_addf(out, "%s %llu %s\n", hex, (unsigned long long)set->entries[i].size,
                 set->entries[i].name);
    }
}

int file_set_read(Str text, FileSet *set) {
    Str line;

    while (str_next_token(&text, "\n", &line)) {
        FileEntry entry = {0};
        Str hex, size;
        if (line.len == 0) {
            continue;
        }
        if (!str_next_token(&line, " ", &hex) || !str_next_token(&line, " ", &size) ||
            hex_decode(hex, entry.sha256, sizeof(entry.sha256)) < 0 ||
            str_to_u64(size, &entry.size) < 0 || !blob_name_is_good(line)) {
            return -EBADMSG;
        }
        snprintf(entry.name, sizeof(entry.name), "%.*s", (int)line.len, line.ptr);
        file_set_add(set, &entry);
    }
    file_set_sort(set);
    return 0;
}

/* Reads a blob to its end, into the stage when there is one. */
static int read_through(Blobs *from, BlobStage *stage, FileEntry *entry) {
    __attribute__((cleanup(free_context))) EVP_MD_CTX *context = sha256_new();
    _cleanup_(freep) char *piece = malloc(PIECE);
    uint64_t offset = 0;
    int r = 0;

    if (!piece) {
        abort();
    }
    while (r == 0 && offset < entry->size) {
        size_t len = (size_t)MIN(entry->size - offset, (uint64_t)PIECE);
        r = blobs_read(from, str_from(entry->name), offset, piece, len);
        if (r == 0 && EVP_DigestUpdate(context, piece, len) != 1) {
            abort();
        }
        if (r == 0 && stage) {
            r = blob_stage_write(stage, (Str){piece, len});
        }
        offset += len;
    }
    if (EVP_DigestFinal_ex(context, entry->sha256, NULL) != 1) {
        abort();
    }
    return r > 0 ? FILE_COPY_E_NONE : err_trace(r);
}

static bool is_known(const FileEntry *known, const FileEntry *entry) {
    return !known ||
           (known->size == entry->size && memcmp(known->sha256, entry->sha256, DIGEST_LEN) == 0);
}

static int copy(Blobs *from, Blobs *to, const FileEntry *known, FileEntry *entry) {
    _cleanup_(blob_stage_freep) BlobStage *stage = NULL;
    Str name = str_from(entry->name);
    int r = blobs_stage_open(to, name, 0, &stage);

    if (r != 0) {
        return err_trace(r < 0 ? r : -EIO);
    }
    r = read_through(from, stage, entry);
    if (r == 0 && !is_known(known, entry)) {
        r = FILE_COPY_E_OTHER;
    }
    if (r == 0) {
        r = blob_stage_commit(stage);
        return r == 0 ? 0 : err_trace(r < 0 ? r : -EIO);
    }
    stage = blob_stage_free(stage);
    blobs_stage_remove(to, name);
    return r;
}

int file_copy(Blobs *from, Blobs *to, const FileEntry *known, bool trust, FileEntry *entry) {
    uint64_t there;
    int r = blobs_size(from, str_from(entry->name), &entry->size);

    if (r != 0) {
        return r < 0 ? err_trace(r) : FILE_COPY_E_NONE;
    }
    r = blobs_size(to, str_from(entry->name), &there);
    if (r < 0) {
        return err_trace(r);
    }
    if (r > 0) {
        return copy(from, to, known, entry);
    }
    if (there != entry->size || (known && known->size != there)) {
        return FILE_COPY_E_OTHER;
    }
    if (known && trust) {
        memcpy(entry->sha256, known->sha256, DIGEST_LEN);
        return 0;
    }
    r = read_through(to, NULL, entry);
    return r != 0 ? r : is_known(known, entry) ? 0 : FILE_COPY_E_OTHER;
}

int file_digest(const char *path, uint64_t *ret_size, uint8_t ret_sha256[DIGEST_LEN]) {
    __attribute__((cleanup(free_context))) EVP_MD_CTX *context = sha256_new();
    _cleanup_(freep) char *piece = malloc(PIECE);
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    int r = 0;

    if (!piece) {
        abort();
    }
    if (fd < 0 || fstat(fd, &status) < 0) {
        return err_errno();
    }
    for (uint64_t offset = 0; r == 0 && offset < (uint64_t)status.st_size; offset += PIECE) {
        size_t len = (size_t)MIN((uint64_t)status.st_size - offset, (uint64_t)PIECE);
        r = fd_pread_all(fd, piece, len, offset);
        if (r == 0 && EVP_DigestUpdate(context, piece, len) != 1) {
            abort();
        }
    }
    if (EVP_DigestFinal_ex(context, ret_sha256, NULL) != 1) {
        abort();
    }
    *ret_size = (uint64_t)status.st_size;
    return err_trace(r);
}
