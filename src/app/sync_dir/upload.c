/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A file to the library, by tus 1.0 (https://tus.io/protocols/resumable-upload): created, then sent
 * from wherever the server has got to. Where it goes on is in the state, so an upload outlives us.
 *
 * The last piece is held back until the hash of all that was read is that of the file as it was
 * looked at: a file that changes under our hands is never complete at the server.
 *
 * A request carries a piece of at most PIECE_MAX: proxies refuse longer bodies (Cloudflare those
 * over 100 MB), and one that takes less still is given smaller pieces.
 */

#include "app/sync_dir/content_hash.h"
#include "app/sync_dir/pair.h"
#include "app/sync_dir/safe_name.h"
#include "app/sync_dir/sync_dir.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/http/form.h"

#include <openssl/evp.h>
#include <stdio.h>

#define UPLOADS_PATH "/v1/uploads"
#define TUS_HEADER   "Tus-Resumable: 1.0.0"
#define TRIES_MAX    10 /* more than lead from PIECE_MAX to PIECE_MIN */
#define PIECE_MAX    ((uint64_t)64 << 20)
#define PIECE_MIN    ((uint64_t)64 << 10) /* nobody takes less than that */

typedef struct Upload {
    SyncDir *sync;
    SyncLink *link;
    StateFile *file;
    int fd;
    uint64_t offset; /* what is sent next */
    uint64_t end;    /* of the piece under way */
    ContentHash *hash;
    uint64_t hashed; /* so many bytes from the beginning are in it */
} Upload;

static bool is_as_hashed(const Upload *upload) {
    struct stat now;

    return fstat(upload->fd, &now) == 0 && now.st_size == upload->file->size &&
           (int64_t)now.st_mtim.tv_sec * 1000000000 + now.st_mtim.tv_nsec == upload->file->mtime_ns;
}

/* -ESTALE: the file is not what it was. */
static int read_piece(void *userdata, void *bytes, size_t max, size_t *ret_n) {
    Upload *upload = userdata;
    uint64_t left = upload->end - upload->offset;
    uint8_t sha256[DIGEST_LEN];
    size_t n = (size_t)MIN(left, (uint64_t)max);

    if (n == 0 || fd_pread_all(upload->fd, bytes, n, upload->offset) < 0) {
        return -ESTALE;
    }
    content_hash_add(upload->hash, bytes, n);
    upload->offset += n;
    upload->hashed = upload->offset;
    if (upload->offset == (uint64_t)upload->file->size) {
        content_hash_end(upload->hash, sha256);
        if (!is_as_hashed(upload) || memcmp(sha256, upload->file->sha256, DIGEST_LEN) != 0) {
            return -ESTALE;
        }
    }
    *ret_n = n;
    return 0;
}

static void add_base64(Buf *out, const char *name, Str value) {
    size_t size = 4 * (value.len / 3 + 1) + 1;
    char *to;

    buf_addf(out, "%s%s ", out->len > 0 ? "," : "", name);
    to = buf_reserve(out, size);
    out->len += (size_t)EVP_EncodeBlock((unsigned char *)to, (const unsigned char *)value.ptr,
                                        (int)value.len);
}

static const char *last_component(Str path) {
    const char *slash = memrchr(path.ptr, '/', path.len);

    return slash ? slash + 1 : path.ptr;
}

/* Both halves of a photo carry the same key, which says nothing of their folder. */
static void add_pair(Upload *upload, Buf *text) {
    Str stem = pair_stem(upload->file->path);
    uint8_t digest[DIGEST_LEN];
    char hex[DIGEST_HEX_SIZE];

    if (pair_find(&upload->sync->scan, upload->file->path)) {
        digest_hmac(str_from(upload->sync->folder.id), stem, digest);
        hex_encode((Str){(const char *)digest, sizeof(digest)}, hex);
        hex[DIGEST_LEN] = '\0';
        add_base64(text, "pair", str_from(hex));
    }
}

static const char *metadata(Upload *upload) {
    _cleanup_(buf_done) Buf text = BUF_INIT, name = BUF_INIT;
    char modified[24];

    safe_name_sent(str_from(last_component(upload->file->path)), &name);
    snprintf(modified, sizeof(modified), "%lld", (long long)(upload->file->mtime_ns / 1000000));
    add_base64(&text, "filename", buf_str(&name));
    add_base64(&text, "lastmodified", str_from(modified));
    add_base64(&text, "deleted", str_lit("skip"));
    add_pair(upload, &text);
    upload->file->name = arena_strdup(upload->link->arena, buf_str(&name));
    return arena_strdup(upload->link->arena, buf_str(&text));
}

static int put(Upload *upload) {
    return state_files_put(&upload->sync->state, upload->file, 1);
}

/* It is not sent again until it changes: SYNC_DIR_E_OWN; but what does not fit now may later. */
static int refused(Upload *upload, const SyncLinkAnswer *answer) {
    StateFile *file = upload->file;
    const char *why = answer->reason[0] ? answer->reason : "the server does not take it";
    int r;

    if (strcmp(answer->code, "quota_exceeded") == 0) {
        upload->link->error = arena_printf(upload->link->arena, "the library is full: %s", why);
        return SYNC_LINK_E_AWAY;
    }
    file->refused = arena_printf(upload->link->arena, "%s (%u)", why, answer->status);
    file->upload = "";
    report_failed(&upload->sync->report, file->path, file->refused);
    r = put(upload);
    return r < 0 ? r : SYNC_DIR_E_OWN;
}

/* The photo that it became, from the headers of the last answer. 0, or SYNC_DIR_E_OWN: there are
 * none, so the library has to be asked. */
static int finish(Upload *upload, const SyncLinkAnswer *answer) {
    const char *photo = http_client_header(&answer->http, "Photo-Id");
    const char *status = http_client_header(&answer->http, "Photo-Status");
    StateFile *file = upload->file;
    Uuid id;
    int r;

    file->upload = "";
    if (!photo || uuid_parse(str_from(photo), &id) < 0) {
        upload->sync->again = true;
        r = put(upload);
        return r < 0 ? r : SYNC_DIR_E_OWN;
    }
    file->photo = photo;
    if (status && strcmp(status, "skipped") == 0) {
        file->refused = "it was deleted from the library";
        report_moved(&upload->sync->report, file->path,
                     "was deleted from the library: it is not sent");
        return put(upload);
    }
    r = state_file_arrive(&upload->sync->state, file);
    if (r == 0) {
        report_sent(&upload->sync->report, file->path);
    }
    return r;
}

/* Of "https://host/v1/uploads/x" or "/v1/uploads/x" the path; NULL: it is none of ours. */
static const char *location_path(const char *location) {
    const char *scheme = location ? strstr(location, "://") : NULL;
    const char *path = scheme ? strchr(scheme + 3, '/') : location;

    return path && str_starts_with(str_from(path), str_lit(UPLOADS_PATH "/")) && strlen(path) < 500
               ? path
               : NULL;
}

static int create(Upload *upload) {
    _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
    Arena *arena = upload->link->arena;
    const SyncLinkCall call = {
        .method = "POST",
        .path = UPLOADS_PATH,
        .headers = {TUS_HEADER,
                    arena_printf(arena, "Upload-Length: %lld", (long long)upload->file->size),
                    arena_printf(arena, "Upload-Metadata: %s", metadata(upload))}};
    const char *path;
    int r = sync_link_call(upload->link, &call, &answer);

    if (r != 0) {
        return r;
    }
    if (answer.status != 201) {
        return refused(upload, &answer);
    }
    path = location_path(http_client_header(&answer.http, "Location"));
    if (!path) {
        upload->link->error = "the server does not say where to send the file";
        return SYNC_LINK_E_AWAY;
    }
    upload->file->upload = arena_strdup(arena, str_from(path));
    upload->offset = 0;
    return put(upload);
}

enum {
    UPLOAD_E_GONE = 100, /* the server knows nothing of it (any more) */
};

/* Where the server has got to. */
static int look(Upload *upload) {
    _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
    const SyncLinkCall call = {
        .method = "HEAD", .path = upload->file->upload, .headers = {TUS_HEADER}};
    const char *offset;
    uint64_t value;
    int r = sync_link_call(upload->link, &call, &answer);

    if (r != 0) {
        return r;
    }
    offset = http_client_header(&answer.http, "Upload-Offset");
    if (answer.status != 200 || !offset || str_to_u64(str_from(offset), &value) < 0 ||
        value > (uint64_t)upload->file->size) {
        return UPLOAD_E_GONE;
    }
    upload->offset = value;
    /* Complete: its photo is in the answer, or the library is asked next time. */
    return value == (uint64_t)upload->file->size ? finish(upload, &answer) : 0;
}

/* The file changed: what was sent of it is of no use. */
static int changed(Upload *upload) {
    _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
    const SyncLinkCall call = {
        .method = "DELETE", .path = upload->file->upload, .headers = {TUS_HEADER}};
    StateFile *file = upload->file;
    int r;

    (void)sync_link_call(upload->link, &call, &answer); /* it would expire by itself, later */
    upload->sync->again = true;
    file->upload = "";
    file->hashed = false;
    file->mtime_ns = -1; /* so that it is looked at again */
    r = put(upload);
    return r < 0 ? r : SYNC_DIR_E_OWN;
}

/* The hash of all before the offset; what is in it already is not read again. */
static int hash_before(Upload *upload) {
    int r;

    if (upload->hash && upload->hashed == upload->offset) {
        return 0;
    }
    content_hash_free(upload->hash);
    upload->hash = content_hash_new();
    r = content_hash_add_file(upload->hash, upload->fd, upload->offset, upload->sync->stop_fd);
    upload->hashed = upload->offset;
    return r;
}

/* A body of that length was too long for something between us and the server. */
static bool take_less(Upload *upload, uint64_t len) {
    if (len <= PIECE_MIN) {
        return false;
    }
    atomic_store(&upload->sync->piece_max, MAX(len / 4, PIECE_MIN));
    return true;
}

enum {
    UPLOAD_E_MORE = 200, /* a piece has arrived */
};

static int send_piece(Upload *upload) {
    _cleanup_(sync_link_answer_done) SyncLinkAnswer answer = {0};
    const uint64_t begin = upload->offset, size = (uint64_t)upload->file->size;
    const uint64_t max = atomic_load(&upload->sync->piece_max);
    const uint64_t len = MIN(size - begin, max > 0 ? max : PIECE_MAX);
    const SyncLinkCall call = {.method = "PATCH",
                               .path = upload->file->upload,
                               .headers = {TUS_HEADER,
                                           "Content-Type: application/offset+octet-stream",
                                           arena_printf(upload->link->arena, "Upload-Offset: %llu",
                                                        (unsigned long long)begin)},
                               .body_len = len,
                               .read = read_piece,
                               .userdata = upload};
    int r = hash_before(upload);

    if (r == -ENODATA) {
        return changed(upload);
    }
    if (r < 0) {
        return r;
    }
    upload->end = begin + len;
    r = sync_link_call(upload->link, &call, &answer);
    if (r == -ESTALE) {
        return changed(upload);
    }
    if (r != 0) {
        return r;
    }
    if (answer.status == 200 || answer.status == 204) {
        return upload->end < size ? UPLOAD_E_MORE : finish(upload, &answer);
    }
    /* The server's own 413 has a code, and smaller pieces would not help. */
    if (answer.status == 413 && !answer.code[0] && take_less(upload, len)) {
        return UPLOAD_E_GONE;
    }
    if (answer.status == 404 || answer.status == 410 || answer.status == 409) {
        return UPLOAD_E_GONE; /* or somewhere else than we thought: it is looked at again */
    }
    return refused(upload, &answer);
}

static int send(Upload *upload) {
    int r;

    do {
        r = send_piece(upload);
    } while (r == UPLOAD_E_MORE);
    return r;
}

/* 0 or SYNC_DIR_E_OWN: it is settled; LINK_E_*, -EINTR or a fault. */
static int go_on(Upload *upload) {
    int r = 0;

    for (unsigned n = 0; n < TRIES_MAX; n++) {
        if (upload->file->upload[0]) {
            r = look(upload);
            if (r == UPLOAD_E_GONE) {
                upload->file->upload = "";
            } else if (r != 0 || upload->file->photo[0]) {
                return r;
            }
        }
        r = upload->file->upload[0] ? 0 : create(upload);
        if (r != 0) {
            return r;
        }
        r = send(upload);
        if (r != UPLOAD_E_GONE) {
            return r;
        }
    }
    upload->link->error = "the server loses track of what it was sent";
    return SYNC_LINK_E_AWAY;
}

int upload_file(SyncDir *sync, SyncLink *link, void *task) {
    _cleanup_(fd_closep) int fd = -1;
    StateFile *file = &((UploadTask *)task)->file;
    Upload upload = {.sync = sync, .link = link, .file = file};
    int r = sync_folder_open_file(&sync->folder, file->path, &fd);

    if (r == -EACCES || r == -EIO || r == -EPERM) {
        report_failed_once(&sync->report, file->path, strerrordesc_np(-r));
        return SYNC_DIR_E_OWN;
    }
    upload.fd = fd;
    if (r < 0 || !is_as_hashed(&upload)) {
        sync->again = true; /* it has gone or changed; the next scan sees it */
        return SYNC_DIR_E_OWN;
    }
    r = go_on(&upload);
    content_hash_free(upload.hash);
    return r;
}
