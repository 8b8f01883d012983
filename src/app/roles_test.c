/* SPDX-License-Identifier: Apache-2.0 */

/* The pool with its real children: sandboxed codecs and the model runtime, on a tiny network. */

#include "adapters/renderer/pool.h"

#include "base/fd.h"
#include "base/test.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define SIDE 64

/* Path of roles_bare, from the command line. */
static const char *binary;

typedef struct Fixture {
    Renderer *renderer;
    char folder[64], cache[80];
    int photo;
    uint64_t photo_len;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned done;
    RenderResult last;
    char head[8];
} Fixture;

/* Brightness as the matte: the mean over the channels. OpenVINO's IR, version 11. */
static const char network[] =
    "<?xml version=\"1.0\"?><net name=\"tiny\" version=\"11\"><layers>"
    "<layer id=\"0\" name=\"in\" type=\"Parameter\" version=\"opset1\">"
    "<data shape=\"1,3,32,32\" element_type=\"f32\"/><output><port id=\"0\" precision=\"FP32\">"
    "<dim>1</dim><dim>3</dim><dim>32</dim><dim>32</dim></port></output></layer>"
    "<layer id=\"1\" name=\"axis\" type=\"Const\" version=\"opset1\">"
    "<data element_type=\"i64\" shape=\"1\" offset=\"0\" size=\"8\"/>"
    "<output><port id=\"0\" precision=\"I64\"><dim>1</dim></port></output></layer>"
    "<layer id=\"2\" name=\"mean\" type=\"ReduceMean\" version=\"opset1\">"
    "<data keep_dims=\"true\"/><input><port id=\"0\" precision=\"FP32\">"
    "<dim>1</dim><dim>3</dim><dim>32</dim><dim>32</dim></port>"
    "<port id=\"1\" precision=\"I64\"><dim>1</dim></port></input>"
    "<output><port id=\"2\" precision=\"FP32\">"
    "<dim>1</dim><dim>1</dim><dim>32</dim><dim>32</dim></port></output></layer>"
    "<layer id=\"3\" name=\"out\" type=\"Result\" version=\"opset1\"><input>"
    "<port id=\"0\" precision=\"FP32\"><dim>1</dim><dim>1</dim><dim>32</dim><dim>32</dim></port>"
    "</input></layer></layers><edges>"
    "<edge from-layer=\"0\" from-port=\"0\" to-layer=\"2\" to-port=\"0\"/>"
    "<edge from-layer=\"1\" from-port=\"0\" to-layer=\"2\" to-port=\"1\"/>"
    "<edge from-layer=\"2\" from-port=\"2\" to-layer=\"3\" to-port=\"0\"/></edges></net>";

static const char manifest[] =
    "{\"name\":\"tiny\",\"title\":\"Tiny\",\"licence\":\"none\",\"file\":\"model.xml\","
    "\"precision\":\"fp32\",\"input\":{\"width\":32,\"height\":32,\"mean\":[0,0,0],"
    "\"scale\":[255,255,255]},\"output\":{\"index\":0,\"range\":\"unit\"},\"more\":{}}";

static void write_file(const char *folder, const char *name, const void *bytes, size_t len) {
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/tiny/%s", folder, name);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

static void write_model(const char *folder) {
    char path[128];

    snprintf(path, sizeof(path), "mkdir %s/tiny", folder);
    assert_int_equal(system(path), 0);
    write_file(folder, "model.xml", network, sizeof(network) - 1);
    write_file(folder, "model.bin", &(int64_t){1}, 8);
    write_file(folder, "manifest.json", manifest, sizeof(manifest) - 1);
}

/* A white disc on black as a grey TIFF 6.0 without compression. */
static int make_photo(uint64_t *ret_len) {
    static const struct {
        uint16_t tag, type;
        uint32_t count, value;
    } entries[] = {
        {256, 3, 1, SIDE}, {257, 3, 1, SIDE}, {258, 3, 1, 8}, /* width, height, bits */
        {259, 3, 1, 1},    {262, 3, 1, 1},    {273, 4, 1, 8}, /* raw, black is 0, offset */
        {277, 3, 1, 1},    {278, 3, 1, SIDE}, {279, 4, 1, SIDE * SIDE}, /* samples, rows, bytes */
    };
    uint8_t pixels[SIDE * SIDE];
    int fd;

    for (int i = 0; i < SIDE * SIDE; i++) {
        int x = i % SIDE - SIDE / 2, y = i / SIDE - SIDE / 2;
        pixels[i] = x * x + y * y < SIDE * SIDE / 9 ? 255 : 0;
    }
    assert_int_equal(fd_memory_new("photo", &fd), 0);
    assert_int_equal(fd_write_all(fd, "II*\0", 4), 0);
    assert_int_equal(fd_write_all(fd, &(uint32_t){8 + sizeof(pixels)}, 4), 0);
    assert_int_equal(fd_write_all(fd, pixels, sizeof(pixels)), 0);
    assert_int_equal(fd_write_all(fd, &(uint16_t){ARRAY_LEN(entries)}, 2), 0);
    assert_int_equal(fd_write_all(fd, entries, sizeof(entries)), 0);
    assert_int_equal(fd_write_all(fd, &(uint32_t){0}, 4), 0);
    assert_int_equal(fd_memory_seal(fd), 0);
    *ret_len = 8 + sizeof(pixels) + 2 + sizeof(entries) + 4;
    return fd;
}

static int open_pool_with_cache(void **state, const char *cache) {
    Fixture *f = calloc(1, sizeof(*f));

    *state = f;
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->changed, NULL);
    snprintf(f->folder, sizeof(f->folder), "/tmp/roles_test.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    write_model(f->folder);
    snprintf(f->cache, sizeof(f->cache), "%s/%s", f->folder, cache);
    f->photo = make_photo(&f->photo_len);
    return renderer_pool_new(&(PoolOptions){.binary = binary,
                                            .workers = 1,
                                            .worker_threads = 1,
                                            .inference_threads = 1,
                                            .models_dir = f->folder,
                                            .model = "tiny",
                                            .cache_dir = f->cache,
                                            .queue_max = 100,
                                            .memory_max = 1 << 30,
                                            .worker_memory_max = (uint64_t)2 << 30,
                                            .job_timeout_ms = 60000,
                                            .job_cpu_s = 60,
                                            .pixels_max = 10000000,
                                            .side_max = 10000,
                                            .pages_max = 100,
                                            .log_level = getenv("LOG") ? getenv("LOG") : "error"},
                             &f->renderer);
}

static int open_pool(void **state) {
    return open_pool_with_cache(state, "cache");
}

/* A cache that cannot be: a file is in its place. */
static int open_pool_without_cache(void **state) {
    return open_pool_with_cache(state, "tiny/manifest.json");
}

static int close_pool(void **state) {
    Fixture *f = *state;
    char command[128];

    renderer_free(f->renderer);
    fd_close(f->photo);
    snprintf(command, sizeof(command), "rm -rf %s", f->folder);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static void on_done(const RenderResult *result, void *userdata) {
    Fixture *f = userdata;

    pthread_mutex_lock(&f->mutex);
    f->done++;
    f->last = *result;
    if (result->output_fd >= 0) {
        assert_int_equal(fd_pread_all(result->output_fd, f->head, sizeof(f->head), 0), 0);
    }
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
}

static RenderStatus render(Fixture *f, const RenderJob *with) {
    RenderJob job = *with;
    unsigned before = f->done;
    uint64_t ticket;

    if (job.input.len == 0) {
        job.input = (RenderSource){.fd = f->photo, .len = f->photo_len};
    }
    job.background.fd = -1;
    job.recipe = RECIPE_INIT;
    assert_int_equal(renderer_submit(f->renderer, &job, on_done, f, &ticket), 0);
    pthread_mutex_lock(&f->mutex);
    while (f->done == before) {
        pthread_cond_wait(&f->changed, &f->mutex);
    }
    pthread_mutex_unlock(&f->mutex);
    return f->last.status;
}

static void cuts_out_a_photo(void **state) {
    Fixture *f = *state;

    assert_int_equal(render(f, &(RenderJob){.op = RENDER_PROBE}), RENDER_OK);
    assert_int_equal(f->last.info.format, IMAGE_FORMAT_TIFF);
    assert_int_equal(f->last.info.width, SIDE);
    assert_int_equal(render(f, &(RenderJob){.op = RENDER_RENDER}), RENDER_OK);
    assert_int_equal(f->last.format, OUTPUT_FORMAT_PNG);
    assert_memory_equal(f->head, "\x89PNG\r\n\x1a\n", 8);
    assert_int_equal(f->last.width, SIDE);
    assert_in_range(f->last.foreground.width, SIDE / 2, SIDE * 3 / 4);
}

static unsigned count_files(const char *folder) {
    DIR *dir = opendir(folder);
    unsigned n = 0;

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        n += entry->d_name[0] != '.';
    }
    closedir(dir);
    return n;
}

/* What the runtime compiled is kept, in the one folder that it may write to. */
static void keeps_the_compiled_model(void **state) {
    Fixture *f = *state;

    assert_int_equal(render(f, &(RenderJob){.op = RENDER_RENDER}), RENDER_OK);
    assert_int_equal(count_files(f->cache), 1);
}

static void needs_no_cache(void **state) {
    Fixture *f = *state;

    assert_int_equal(render(f, &(RenderJob){.op = RENDER_RENDER}), RENDER_OK);
}

static void refuses_what_is_no_picture(void **state) {
    Fixture *f = *state;
    int fd;

    assert_int_equal(fd_memory_new("text", &fd), 0);
    assert_int_equal(fd_write_all(fd, "no picture at all", 17), 0);
    assert_int_equal(fd_memory_seal(fd), 0);
    assert_int_equal(render(f, &(RenderJob){.op = RENDER_RENDER, .input = {.fd = fd, .len = 17}}),
                     RENDER_UNSUPPORTED);
    /* A range beyond the end is our own mistake, and must not kill anybody. */
    assert_int_equal(render(f, &(RenderJob){.op = RENDER_RENDER, .input = {.fd = fd, .len = 18}}),
                     RENDER_FAULT);
    fd_close(fd);
    assert_int_equal(render(f, &(RenderJob){.op = RENDER_RENDER, .model = "other"}),
                     RENDER_UNKNOWN_MODEL);
}

/* The process of that role among our children. */
static pid_t child_of_role(const char *role) {
    char path[64], line[256] = {0};
    pid_t found = 0, pid;
    FILE *list = popen("cat /proc/$PPID/task/*/children", "r");

    while (fscanf(list, "%d", &pid) == 1) {
        FILE *file;
        snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
        file = fopen(path, "r");
        if (file) {
            size_t n = fread(line, 1, sizeof(line) - 1, file);
            fclose(file);
            if (n > strlen(role) && strcmp(line + n - 1 - strlen(role), role) == 0) {
                found = pid;
            }
        }
    }
    pclose(list);
    return found;
}

static void goes_on_when_its_processes_are_killed(void **state) {
    static const char *const roles[] = {"worker", "inference"};
    Fixture *f = *state;

    assert_int_equal(render(f, &(RenderJob){.op = RENDER_RENDER}), RENDER_OK);
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        pid_t pid = child_of_role(roles[i]);
        assert_true(pid > 0);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(render(f, &(RenderJob){.op = RENDER_RENDER}), RENDER_OK);
        assert_int_not_equal(child_of_role(roles[i]), pid);
    }
}

/* Sanitizers keep what was freed, to notice its use. */
#ifndef IMAGESYNC_SANITIZED
static long resident_kb(pid_t pid) {
    char path[64];
    long pages = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    file = fopen(path, "r");
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return pages * 4;
}

static void memory_stays_flat(void **state) {
    static const char *const roles[] = {"worker", "inference"};
    Fixture *f = *state;
    long before[2];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100; i++) {
            assert_int_equal(render(f, &(RenderJob){.op = RENDER_RENDER, .memory = 1}), RENDER_OK);
        }
        for (int i = 0; i < 2; i++) {
            long now = resident_kb(child_of_role(roles[i]));
            if (round == 0) {
                before[i] = now;
            } else if (now > before[i] + 1024) {
                fail_msg("%s grew from %ld to %ld KiB", roles[i], before[i], now);
            }
        }
    }
}
#endif

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cuts_out_a_photo, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(keeps_the_compiled_model, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(needs_no_cache, open_pool_without_cache, close_pool),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_picture, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(goes_on_when_its_processes_are_killed, open_pool,
                                        close_pool),
#ifndef IMAGESYNC_SANITIZED
        cmocka_unit_test_setup_teardown(memory_stays_flat, open_pool, close_pool),
#endif
    };
    binary = argc > 1 ? argv[1] : "./roles_bare";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
