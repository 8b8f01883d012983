/* SPDX-License-Identifier: Apache-2.0 */

/* Photos through the pool into real, sandboxed workers; no model is installed. */

#include "imaging/exif_testing.h"
#include "imaging/testing.h"

#include "adapters/renderer/pool.h"
#include "base/fd.h"

#include <pthread.h>

/* Path of roles_bare, from the command line. */
static const char *binary;

typedef struct Fixture {
    Renderer *renderer;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool done;
    RenderResult last; /* with its files */
} Fixture;

static int open_pool(void **state) {
    Fixture *f = calloc(1, sizeof(*f));

    *state = f;
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->changed, NULL);
    return renderer_pool_new(&(PoolOptions){.binary = binary,
                                            .workers = 1,
                                            .worker_threads = 1,
                                            .inference_threads = 1,
                                            .models_dir = "/nonexistent",
                                            .model = "none",
                                            .queue_max = 100,
                                            .memory_max = 1 << 30,
                                            .worker_memory_max = (uint64_t)2 << 30,
                                            .job_timeout_ms = 60000,
                                            .job_cpu_s = 60,
                                            .pixels_max = 20000000,
                                            .side_max = 10000,
                                            .pages_max = 100,
                                            .log_level = getenv("LOG") ? getenv("LOG") : "off"},
                             &f->renderer);
}

static int close_pool(void **state) {
    Fixture *f = *state;

    renderer_free(f->renderer);
    free(f);
    return 0;
}

static void on_done(const RenderResult *result, void *userdata) {
    Fixture *f = userdata;

    pthread_mutex_lock(&f->mutex);
    f->done = true;
    f->last = *result;
    TAKE_FD(((RenderResult *)result)->mezzanine.fd);
    TAKE_FD(((RenderResult *)result)->thumbnail.fd);
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
}

static RenderStatus ingest(Fixture *f, Str bytes) {
    RenderJob job = {.op = RENDER_INGEST, .ingest = RENDER_INGEST_DEFAULT};
    uint64_t ticket;

    f->done = false;
    job.input.len = bytes.len;
    assert_int_equal(fd_memory_new("photo", &job.input.fd), 0);
    assert_int_equal(fd_write_all(job.input.fd, bytes.ptr, bytes.len), 0);
    assert_int_equal(fd_memory_seal(job.input.fd), 0);
    assert_int_equal(renderer_submit(f->renderer, &job, on_done, f, &ticket), 0);
    pthread_mutex_lock(&f->mutex);
    while (!f->done) {
        pthread_cond_wait(&f->changed, &f->mutex);
    }
    pthread_mutex_unlock(&f->mutex);
    fd_close(job.input.fd);
    return f->last.status;
}

/* A rendition's pixels; ends its file. */
static Picture decode(RenderFile *file) {
    _cleanup_(map_done) Map map = MAP_INIT;
    const char *detail;
    Picture picture;
    ImageInfo info;

    assert_int_equal(map_range(file->fd, 0, file->len, &map), 0);
    assert_int_equal(image_probe((Str){map.data, map.len}, &test_limits, &info, &detail), 0);
    assert_int_equal(decode_picture((Str){map.data, map.len}, &info, 0, &picture, &detail), 0);
    assert_int_equal(picture.width, file->width);
    assert_int_equal(picture.height, file->height);
    file->fd = fd_close(file->fd);
    return picture;
}

static void check_files(Fixture *f) {
    RenderFile *files[] = {&f->last.mezzanine, &f->last.thumbnail};

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        Picture picture = decode(files[i]);
        test_near(test_rgb(&picture, 2, 2), 250, 10, 10, 12);
        test_near(test_rgb(&picture, picture.width - 3, 2), 0, 0, 0, 12);
        test_near(test_rgb(&picture, 2, picture.height - 3), 0, 0, 0, 12);
        picture_done(&picture);
    }
}

static void takes_in_what_a_phone_took(void **state) {
    Buf exif = test_exif(test_phone_tags, ARRAY_LEN(test_phone_tags), true);
    Buf file = test_encode(test_marked(3000, 4000, 6), ".jpg[Q=90]");
    Fixture *f = *state;

    assert_int_equal(ingest(f, buf_str(&file)), RENDER_OK);
    assert_int_equal(f->last.info.width, 3000);
    assert_int_equal(f->last.photo.orientation, 6);
    assert_int_equal(f->last.mezzanine.height, 2000);
    assert_int_equal(f->last.thumbnail.height, 512);
    assert_true(f->last.timings.decode > 0 && f->last.timings.encode > 0);
    check_files(f);
    buf_done(&file);
    file = test_encode(test_marked(640, 480, 1), ".jpg[strip]");
    test_add_exif(&file, &exif);
    assert_int_equal(ingest(f, buf_str(&file)), RENDER_OK);
    assert_string_equal(f->last.photo.taken, "2026-05-17T14:03:09.120");
    assert_int_equal(f->last.photo.taken_offset_min, 120);
    assert_string_equal(f->last.photo.model, "iPhone 15 Pro");
    assert_true(f->last.photo.has_place);
    assert_true(f->last.hash != PHOTO_HASH_NONE);
    assert_int_equal(f->last.mezzanine.width, 640);
    check_files(f);
    buf_done(&file);
    buf_done(&exif);
}

static void takes_in_every_format(void **state) {
    static const char *const suffixes[] = {
        ".jpg",  ".png", ".webp", ".gif", ".tif", ".avif",
#ifndef IMAGESYNC_SANITIZED
        ".heic", /* whose encoder, which is only the test's, leaks */
#endif
    };
    Fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        Buf file = test_encode(test_marked(600, 400, 1), suffixes[i]);
        if (ingest(f, buf_str(&file)) != RENDER_OK) {
            fail_msg("%s: %s", suffixes[i], render_status_names[f->last.status]);
        }
        assert_int_equal(f->last.mezzanine.format, OUTPUT_FORMAT_JPEG);
        check_files(f);
        buf_done(&file);
    }
}

static void what_it_cannot_read_harms_nobody(void **state) {
    Buf file = test_encode(test_marked(600, 400, 1), ".jpg");
    RendererStats stats;
    Fixture *f = *state;

    assert_int_equal(ingest(f, str_lit("FUJIFILMCCD-RAW 0201FF383501")), RENDER_UNSUPPORTED);
    assert_int_equal(ingest(f, str_lit("\0\0\0\x14"
                                       "ftypqt  \0\0\0\0qt  ")),
                     RENDER_UNSUPPORTED);
    assert_int_equal(ingest(f, (Str){file.data, file.len / 2}), RENDER_UNREADABLE);
    assert_int_equal(f->last.mezzanine.fd, -1);
    assert_int_equal(f->last.thumbnail.fd, -1);
    buf_done(&file);
    file = test_encode(test_marked(5000, 4001, 1), ".png");
    assert_int_equal(ingest(f, buf_str(&file)), RENDER_TOO_LARGE);
    buf_done(&file);
    renderer_stats(f->renderer, &stats);
    assert_int_equal(stats.worker_restarts, 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(takes_in_what_a_phone_took, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(takes_in_every_format, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(what_it_cannot_read_harms_nobody, open_pool, close_pool),
    };
    binary = argc > 1 ? argv[1] : "./roles_bare";
    return cmocka_run_group_tests(tests, test_start, NULL);
}
