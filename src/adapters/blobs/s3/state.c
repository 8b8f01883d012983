/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/blobs/s3/state.h"

#include "base/error.h"

#include <inttypes.h>
#include <jansson.h>

#define LINE_MAX_LEN ((size_t)4 << 20) /* an ETag has at most 200 bytes */
#define ETAG_MAX     200

bool s3_state_key_parse(const char *key, Str *ret_name, uint64_t *ret_offset) {
    const char *slash = strrchr(key, '/');
    uint64_t offset = 0;

    if (!slash || strlen(slash + 1) != S3_STATE_DIGITS) {
        return false;
    }
    for (const char *c = slash + 1; *c; c++) {
        if (!strchr("0123456789abcdef", *c)) {
            return false;
        }
        offset = offset << 4 | (uint64_t)(*c <= '9' ? *c - '0' : *c - 'a' + 10);
    }
    *ret_name = (Str){key, (size_t)(slash - key)};
    *ret_offset = offset;
    return true;
}

static const char *key_of(const BlobsS3 *self, Str name, uint64_t offset, Arena *arena) {
    return arena_printf(arena, "%s/%016" PRIx64, s3_key(self, "stages/", name, arena), offset);
}

static json_t *line_of(const S3State *state) {
    json_t *parts = json_array();

    for (size_t i = 0; i < state->n_parts; i++) {
        json_array_append_new(parts, json_string(state->etags[i]));
    }
    return json_pack("{s:s, s:s, s:o}", "writer", state->writer, "upload", state->upload, "parts",
                     parts);
}

int s3_state_put(const BlobsS3 *self, Str name, uint64_t offset, const S3State *state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(json_decrefp) json_t *json = line_of(state);
    _cleanup_(freep) char *line = json ? json_dumps(json, JSON_COMPACT) : NULL;
    _cleanup_(buf_done) Buf body = BUF_INIT;
    S3Answer answer;

    if (!line) {
        abort(); /* exhausted memory: all of it is UTF-8 */
    }
    buf_addf(&body, "%s\n", line);
    buf_add_str(&body, state->rest);
    return err_trace(s3_do(self,
                           &(S3Call){.method = "PUT",
                                     .key = key_of(self, name, offset, arena),
                                     .body = buf_str(&body)},
                           arena, &answer));
}

static int read_parts(json_t *parts, Arena *arena, S3State *state) {
    size_t i;
    json_t *part;

    if (!json_is_array(parts) || json_array_size(parts) > S3_PARTS_MAX) {
        return err_trace(-EIO);
    }
    state->n_parts = json_array_size(parts);
    state->etags = arena_alloc(arena, (state->n_parts + 1) * sizeof(*state->etags));
    json_array_foreach(parts, i, part) {
        Str etag = {json_string_value(part), json_string_length(part)};
        if (etag.len == 0 || etag.len > ETAG_MAX) {
            return err_trace(-EIO);
        }
        state->etags[i] = arena_strdup(arena, etag);
    }
    return 0;
}

static int read_line(Str line, Arena *arena, S3State *state) {
    _cleanup_(json_decrefp) json_t *json = json_loadb(line.ptr, line.len, 0, NULL);
    const char *writer = json_string_value(json_object_get(json, "writer"));
    const char *upload = json_string_value(json_object_get(json, "upload"));
    Uuid uuid;

    if (!writer || uuid_parse(str_from(writer), &uuid) < 0 || !upload) {
        return err_trace(-EIO);
    }
    memcpy(state->writer, writer, UUID_TEXT_SIZE);
    state->upload = arena_strdup(arena, str_from(upload));
    return read_parts(json_object_get(json, "parts"), arena, state);
}

int s3_state_get(const BlobsS3 *self, Str name, uint64_t offset, Arena *arena, S3State *ret_state) {
    const S3Call call = {.method = "GET",
                         .key = key_of(self, name, offset, arena),
                         .answer_max = S3_PART_LEN + LINE_MAX_LEN};
    S3State state = {0};
    S3Answer answer;
    const char *end;
    int r = s3_call(self, &call, arena, &answer);

    if (r < 0) {
        return err_trace(r);
    }
    if (answer.http.status == 404) {
        return BLOBS_E_NONE;
    }
    end = answer.http.status == 200 && answer.http.body.len > 0
              ? memchr(answer.http.body.ptr, '\n', answer.http.body.len)
              : NULL;
    if (!end) {
        return err_trace(-EIO);
    }
    size_t line = (size_t)(end - answer.http.body.ptr);
    r = read_line((Str){answer.http.body.ptr, line}, arena, &state);
    state.rest = (Str){end + 1, answer.http.body.len - line - 1};
    if (r == 0 && (state.rest.len >= S3_PART_LEN || (state.n_parts > 0 && !state.upload[0]) ||
                   state.n_parts * (uint64_t)S3_PART_LEN + state.rest.len != offset)) {
        r = -EIO;
    }
    if (r < 0) {
        return err_trace(r);
    }
    *ret_state = state;
    return 0;
}

int s3_state_delete(const BlobsS3 *self, Str name, uint64_t offset) {
    _cleanup_(arena_freep) Arena *arena = arena_new();

    return err_trace(s3_delete(self, key_of(self, name, offset, arena)));
}

int s3_state_list(const BlobsS3 *self, Str name, Arena *arena, uint64_t **ret_offsets,
                  size_t *ret_n) {
    const char *prefix = arena_printf(arena, "%s/", s3_key(self, "stages/", name, arena));
    uint64_t *offsets;
    S3Item *items;
    size_t n_items, n = 0;
    bool more;
    /* There are three at most, when the removal of the oldest failed. */
    int r = s3_list_page(self, prefix, "", S3_KEYS_MAX, arena, &items, &n_items, &more);

    if (r < 0) {
        return err_trace(r);
    }
    offsets = arena_alloc(arena, (n_items + 1) * sizeof(*offsets));
    for (size_t i = 0; i < n_items; i++) {
        Str parent;
        const char *key = arena_printf(arena, "/%s", items[i].key);
        if (!s3_state_key_parse(key, &parent, &offsets[n]) || parent.len > 0) {
            continue; /* none of its own */
        }
        n++;
    }
    *ret_offsets = offsets;
    *ret_n = n;
    return 0;
}
