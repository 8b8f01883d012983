/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Feedback uploads: a picture that was cut out badly is kept for the operator, in
 * DATA/improve/ID/image.EXT beside info.json. The folder appears whole or not at all.
 */

#include "services/image/removebg.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMPROVE_FILE_MAX (12u << 20)
#define NAME_MAX_LEN     255
#define ID_BYTES         16

typedef struct Feedback {
    const char *filename, *tag; /* NULL: not given */
} Feedback;

static Failure read_text(ImageJob *job, const Form *form, const char *name, const char **ret_text) {
    Str value;

    if (!fields_find(form, name, &value)) {
        return FAILURE_NONE;
    }
    if (value.len > NAME_MAX_LEN || memchr(value.ptr, '\0', value.len)) {
        return FAILURE_INVALID_TAG;
    }
    *ret_text = arena_strdup(job->arena, value);
    return FAILURE_NONE;
}

static Failure prepare(ImageJob *job, const char **reterr_detail) {
    Feedback *feedback = arena_alloc(job->arena, sizeof(*feedback));
    Failure failure = access_by_key(job->service, job->request, false, &job->caller);
    Form form = {0};

    job->api_data = feedback;
    if (failure == FAILURE_NONE) {
        failure = image_job_take_rate(job, 1);
    }
    if (failure == FAILURE_NONE) {
        failure = image_job_read_form(job, &form, reterr_detail);
    }
    if (failure == FAILURE_NONE) {
        failure = read_text(job, &form, "image_filename", &feedback->filename);
    }
    if (failure == FAILURE_NONE) {
        failure = read_text(job, &form, "tag", &feedback->tag);
    }
    if (failure == FAILURE_NONE) {
        failure = removebg_read_sources(job, &form, reterr_detail);
    }
    return failure;
}

static Failure admit(ImageJob *job, const char **reterr_detail) {
    uint32_t max = (uint32_t)job->service->options.settings->improve_per_day;

    if (job->image.bytes.len > IMPROVE_FILE_MAX) {
        *reterr_detail = "Feedback images may have up to 12 MB.";
        return FAILURE_FILE_TOO_LARGE;
    }
    return image_job_take_cap(job, USAGE_CAP_IMPROVE_DAY, max) ? FAILURE_NONE : FAILURE_DAILY_CAP;
}

static int make_id(char id[2 * ID_BYTES + 1]) {
    uint8_t bytes[ID_BYTES];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return err_trace(err_errno());
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
    }
    return 0;
}

static int write_file(int dir, const char *name, Str bytes) {
    _cleanup_(fd_closep) int fd =
        openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r;

    if (fd < 0) {
        return err_trace(err_errno());
    }
    r = fd_write_all(fd, bytes.ptr, bytes.len);
    if (r < 0) {
        return err_trace(r);
    }
    return fsync(fd) < 0 ? err_trace(err_errno()) : 0;
}

static int write_info(const ImageJob *job, int dir) {
    const Feedback *feedback = job->api_data;
    _cleanup_(json_decrefp) json_t *json =
        json_pack("{s:s*,s:s*,s:s,s:s,s:i,s:i,s:I,s:s}", "filename", feedback->filename, "tag",
                  feedback->tag, "key", account_fingerprint(job->caller.account), "format",
                  image_format_names[job->info.format], "width", (int)job->info.width, "height",
                  (int)job->info.height, "time", (json_int_t)clock_unix_s(), "request_id",
                  http_request_id(job->request));
    char *dump = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    int r;

    /* jansson refuses names that are not UTF-8. */
    if (!dump) {
        return -EILSEQ;
    }
    r = write_file(dir, "info.json", str_from(dump));
    free(dump);
    return err_trace(r);
}

static int write_image(const ImageJob *job, int dir) {
    _cleanup_(map_done) Map map = MAP_INIT;
    const RenderSource *bytes = &job->image.bytes;
    const char *name = arena_printf(job->arena, "image.%s", image_format_names[job->info.format]);
    int r = map_range(bytes->fd, bytes->offset, bytes->len, &map);

    return err_trace(r < 0 ? r : write_file(dir, name, (Str){map.data, map.len}));
}

/* What was begun under `name` and could not be finished. */
static void forget(const ImageJob *job, int parent, int dir, const char *name) {
    unlinkat(dir, arena_printf(job->arena, "image.%s", image_format_names[job->info.format]), 0);
    unlinkat(dir, "info.json", 0);
    unlinkat(parent, name, AT_REMOVEDIR);
}

static int store(const ImageJob *job, const char *id) {
    const char *path = arena_printf(job->arena, "%s/improve", job->service->options.data_dir);
    const char *temporary = arena_printf(job->arena, ".%s", id);
    _cleanup_(fd_closep) int parent = -1, dir = -1;
    int r;

    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        return err_trace(err_errno());
    }
    parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0 || mkdirat(parent, temporary, 0700) < 0) {
        return err_trace(err_errno());
    }
    dir = openat(parent, temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return err_trace(err_errno());
    }
    r = write_image(job, dir);
    r = r < 0 ? r : write_info(job, dir);
    if (r == 0 && (fsync(dir) < 0 || renameat(parent, temporary, parent, id) < 0)) {
        r = err_errno();
    }
    if (r < 0) {
        forget(job, parent, dir, temporary);
        return err_trace(r);
    }
    return fsync(parent) < 0 ? err_trace(err_errno()) : 0;
}

static void *store_and_reply(void *userdata) {
    ImageJob *job = userdata;
    char id[2 * ID_BYTES + 1];
    HeaderList headers = {0};
    int r = make_id(id);

    r = r < 0 ? r : store(job, id);
    if (r == -EILSEQ) {
        image_job_fail(job, FAILURE_INVALID_TAG, "It must be UTF-8.");
        return NULL;
    }
    if (r < 0) {
        image_job_fail(job, r == -ENOSPC ? FAILURE_UNAVAILABLE : FAILURE_INTERNAL, NULL);
        return NULL;
    }
    image_job_rate_headers(job, &headers);
    image_job_reply(
        job, &(HttpResponse){.status = 200,
                             .content_type = "application/json",
                             .headers = headers.items,
                             .body = str_from(arena_printf(job->arena, "{\"id\":\"%s\"}", id))});
    return NULL;
}

/* On a thread of its own, because the renderer's must not wait for a disk. */
static void reply(ImageJob *job, RenderResult *result) {
    pthread_t thread;

    (void)result;
    if (pthread_create(&thread, NULL, store_and_reply, job) != 0) {
        image_job_fail(job, FAILURE_BUSY, NULL);
        return;
    }
    pthread_detach(thread);
}

static const JobApi api = {.name = "improve",
                           .shape = ERROR_SHAPE_REMOVEBG,
                           .admit = admit,
                           .reply = reply,
                           .probe_only = true};

void improve_handle(HttpRequest *request, void *context) {
    image_job_run(context, request, &api, prepare);
}
