/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The flow of a request over the real HTTP server, with a renderer that does as it is told: it
 * answers at once inside submit(), or keeps the job until it is cancelled.
 */

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/test.h"
#include "services/image/internal.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct FakeRenderer {
    Renderer base;
    pthread_mutex_t lock;
    RenderStatus status; /* of renders; probes succeed */
    bool keeps;          /* renders wait for their cancellation */
    unsigned cancels, renders;
    Recipe recipe; /* of the last render */
    RenderDone *kept;
    void *kept_userdata;
} FakeRenderer;

static void finish(FakeRenderer *fake, RenderOp op, RenderStatus status, RenderDone *done,
                   void *userdata) {
    RenderResult result = {.status = op == RENDER_PROBE ? RENDER_OK : status,
                           .detail = "told so",
                           .retry_after_s = 7,
                           .info = {.format = IMAGE_FORMAT_JPEG, .width = 2000, .height = 1000},
                           .output_fd = -1,
                           .format = OUTPUT_FORMAT_PNG,
                           .width = 20,
                           .height = 10,
                           .foreground = {1, 2, 3, 4},
                           .uncertainty = 0.5};

    (void)fake;
    if (op == RENDER_RENDER && result.status == RENDER_OK) {
        assert_int_equal(fd_memory_new("result", &result.output_fd), 0);
        assert_int_equal(fd_write_all(result.output_fd, "PICTURE", 7), 0);
        result.output_len = 7;
    }
    done(&result, userdata);
    fd_close(result.output_fd);
}

static int fake_submit(Renderer *self, const RenderJob *job, RenderDone *done, void *userdata,
                       uint64_t *ret_ticket) {
    FakeRenderer *fake = (FakeRenderer *)self;
    bool keep;

    pthread_mutex_lock(&fake->lock);
    keep = fake->keeps && job->op == RENDER_RENDER;
    fake->renders += job->op == RENDER_RENDER;
    fake->recipe = job->recipe;
    *ret_ticket = 1;
    if (keep) {
        fake->kept = done;
        fake->kept_userdata = userdata;
    }
    pthread_mutex_unlock(&fake->lock);
    if (!keep) {
        finish(fake, job->op, fake->status, done, userdata);
    }
    return 0;
}

/* Ends the job before it returns, which is the hardest way for a caller. */
static void fake_cancel(Renderer *self, uint64_t ticket) {
    FakeRenderer *fake = (FakeRenderer *)self;
    RenderDone *kept;

    (void)ticket;
    pthread_mutex_lock(&fake->lock);
    fake->cancels++;
    kept = TAKE_PTR(fake->kept);
    pthread_mutex_unlock(&fake->lock);
    if (kept) {
        finish(fake, RENDER_RENDER, RENDER_CANCELLED, kept, fake->kept_userdata);
    }
}

static const RendererImpl fake_impl = {.submit = fake_submit, .cancel = fake_cancel};

typedef struct World {
    FakeRenderer renderer;
    ImageSettings settings;
    Metrics *metrics;
    ImageService *service;
    HttpServer *server;
} World;

static void world_start(World *world, RenderStatus status) {
    const char *reterr = "";
    ImageServiceOptions options;
    HttpOptions http = {.address = "127.0.0.1",
                        .threads = 2,
                        .connections_max = 20,
                        .connections_per_address_max = 20,
                        .idle_timeout_s = 10,
                        .receive_timeout_s = 10};

    log_setup(LOG_LEVEL_OFF, "test");
    *world = (World){.renderer = {.base = {&fake_impl}, .status = status},
                     .settings = {.api_keys = "key:10",
                                  .page_access = "auto",
                                  .page_hosts = "",
                                  .megapixels_per_minute = 500,
                                  .file_max_mib = 1,
                                  .improve_per_day = 1}};
    pthread_mutex_init(&world->renderer.lock, NULL);
    world->metrics = metrics_new();
    options = (ImageServiceOptions){.renderer = &world->renderer.base,
                                    .metrics = world->metrics,
                                    .settings = &world->settings,
                                    .listen_address = "127.0.0.1",
                                    .data_dir = "/nonexistent"};
    http.metrics = world->metrics;
    assert_int_equal(image_service_new(&options, &world->service, &reterr), 0);
    assert_int_equal(http_server_start(&http, image_service_groups(world->service),
                                       IMAGE_SERVICE_GROUPS, &world->server),
                     0);
}

static void world_done(World *world) {
    http_server_stop(world->server);
    image_service_free(world->service);
    metrics_free(world->metrics);
    pthread_mutex_destroy(&world->renderer.lock);
}

static int dial(const World *world) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(http_server_port(world->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static void send_request(int fd, const char *key, const char *fields) {
    _cleanup_(buf_done) Buf request = BUF_INIT, body = BUF_INIT;

    buf_addf(&body, "image_file_b64=aGVsbG8%%3D%s", fields);
    buf_addf(&request,
             "POST /v1.0/removebg HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Api-Key: %s\r\n"
             "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n%s",
             key, body.len, buf_cstr(&body));
    assert_int_equal(fd_write_all(fd, request.data, request.len), 0);
}

static void ask(const World *world, const char *key, const char *fields, Buf *answer) {
    _cleanup_(fd_closep) int fd = dial(world);

    buf_done(answer);
    send_request(fd, key, fields);
    for (;;) {
        ssize_t got = read(fd, buf_reserve(answer, 4096), 4096);
        assert_true(got >= 0);
        if (got == 0) {
            break;
        }
        answer->len += (size_t)got;
    }
    buf_add(answer, "", 0);
}

static bool says(const Buf *answer, const char *text) {
    return memmem(answer->data, answer->len, text, strlen(text)) != NULL;
}

static uint64_t balance(const World *world) {
    uint64_t left = 0;

    (void)account_available(accounts_find(world->service->accounts, str_lit("key")), &left);
    return left;
}

static void a_picture_is_answered_and_charged(void **state) {
    _cleanup_(buf_done) Buf answer = BUF_INIT;
    World world;

    (void)state;
    world_start(&world, RENDER_OK);
    ask(&world, "key", "&size=auto&bg_color=red", &answer);
    assert_true(says(&answer, "HTTP/1.1 200 "));
    assert_true(says(&answer, "\r\nX-Credits-Charged: 1\r\n"));
    assert_true(says(&answer, "\r\nX-Foreground-Top: 2\r\n"));
    assert_true(says(&answer, "\r\nX-RateLimit-Remaining: 498\r\n"));
    assert_true(says(&answer, "\r\nContent-Type: image/png\r\n"));
    assert_true(says(&answer, "\r\n\r\nPICTURE"));
    assert_int_equal(balance(&world), 900);
    assert_int_equal(world.renderer.recipe.pixels_max, 25000000);
    assert_int_equal(world.renderer.recipe.background, RECIPE_BACKGROUND_COLOUR);
    world_done(&world);
}

static void what_fails_is_told_and_costs_nothing(void **state) {
    static const struct {
        RenderStatus status;
        const char *line, *code;
    } cases[] = {
        {RENDER_UNSUPPORTED, "HTTP/1.1 400 ", "\"invalid_file_type\""},
        {RENDER_UNREADABLE, "HTTP/1.1 400 ", "\"failed_to_read_image\""},
        {RENDER_TOO_LARGE, "HTTP/1.1 400 ", "\"resolution_too_high\""},
        {RENDER_NO_FOREGROUND, "HTTP/1.1 400 ", "\"unknown_foreground\""},
        {RENDER_BUSY, "HTTP/1.1 429 ", "\r\nRetry-After: 7\r\n"},
        {RENDER_TIMEOUT, "HTTP/1.1 504 ", "\"timeout\""},
        {RENDER_CRASHED, "HTTP/1.1 400 ", "\"failed_to_read_image\""},
        {RENDER_FAULT, "HTTP/1.1 500 ", "\"internal_error\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(buf_done) Buf answer = BUF_INIT;
        World world;
        world_start(&world, cases[i].status);
        ask(&world, "key", "&size=full", &answer);
        assert_true(says(&answer, cases[i].line));
        assert_true(says(&answer, cases[i].code));
        assert_true(says(&answer, "{\"errors\":[{\"title\":\""));
        assert_int_equal(balance(&world), 1000);
        world_done(&world);
    }
}

static void nothing_is_rendered_that_may_not_be(void **state) {
    static const struct {
        const char *key, *fields, *answer;
    } cases[] = {
        {"wrong", "", "HTTP/1.1 403 "},
        {"key", "&size=x", "invalid_size"},
        {"key", "&image_url=http://example.com/", "multiple_sources"},
        {"key", "&roi=0+0+3000+10", "roi_exceeds_bounds"},
        {"key", "&roi=5+5+5+10", "roi_region_empty"},
    };
    _cleanup_(buf_done) Buf answer = BUF_INIT;
    World world;

    (void)state;
    world_start(&world, RENDER_OK);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ask(&world, cases[i].key, cases[i].fields, &answer);
        assert_true(says(&answer, cases[i].answer));
    }
    assert_int_equal(world.renderer.renders, 0);
    assert_int_equal(balance(&world), 1000);
    world_done(&world);
}

static void only_what_was_looked_at_costs_rate(void **state) {
    static const struct {
        RenderStatus status;
        const char *remaining;
    } cases[] = {
        {RENDER_OK, "\r\nX-RateLimit-Remaining: 498\r\n"},
        {RENDER_NO_FOREGROUND, "\r\nX-RateLimit-Remaining: 498\r\n"},
        {RENDER_TIMEOUT, "\r\nX-RateLimit-Remaining: 498\r\n"},
        {RENDER_CANCELLED, "\r\nX-RateLimit-Remaining: 498\r\n"},
        {RENDER_BUSY, "\r\nX-RateLimit-Remaining: 500\r\n"},
        {RENDER_FAULT, "\r\nX-RateLimit-Remaining: 500\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(buf_done) Buf answer = BUF_INIT;
        World world;
        world_start(&world, cases[i].status);
        ask(&world, "key", "", &answer);
        assert_true(says(&answer, cases[i].remaining));
        world_done(&world);
    }
}

static bool kept_one(World *world) {
    bool kept;

    pthread_mutex_lock(&world->renderer.lock);
    kept = world->renderer.kept != NULL;
    pthread_mutex_unlock(&world->renderer.lock);
    return kept;
}

static bool cancelled_one(World *world) {
    bool cancelled;

    pthread_mutex_lock(&world->renderer.lock);
    cancelled = world->renderer.cancels > 0;
    world->renderer.cancels = 0;
    pthread_mutex_unlock(&world->renderer.lock);
    return cancelled;
}

static void keep_jobs(World *world, bool keeps) {
    pthread_mutex_lock(&world->renderer.lock);
    world->renderer.keeps = keeps;
    pthread_mutex_unlock(&world->renderer.lock);
}

static void wait_until(World *world, bool (*holds)(World *)) {
    uint64_t end = clock_mono_ms() + 10000;

    while (!holds(world)) {
        assert_true(clock_mono_ms() < end);
        poll(NULL, 0, 1);
    }
}

static void who_goes_away_cancels_and_is_not_charged(void **state) {
    World world;
    int fd;

    (void)state;
    world_start(&world, RENDER_OK);
    keep_jobs(&world, true);
    fd = dial(&world);
    send_request(fd, "key", "&size=full");
    wait_until(&world, kept_one);
    assert_int_equal(balance(&world), 900);
    fd_close(fd);
    wait_until(&world, cancelled_one);
    world_done(&world);
}

static void the_balance_comes_back_after_cancelling(void **state) {
    _cleanup_(buf_done) Buf answer = BUF_INIT;
    World world;
    int fd;

    (void)state;
    world_start(&world, RENDER_OK);
    keep_jobs(&world, true);
    for (int i = 0; i < 12; i++) {
        fd = dial(&world);
        send_request(fd, "key", "&size=full");
        wait_until(&world, kept_one);
        fd_close(fd);
        wait_until(&world, cancelled_one);
    }
    keep_jobs(&world, false);
    ask(&world, "key", "&size=full", &answer);
    assert_true(says(&answer, "HTTP/1.1 200 "));
    assert_int_equal(balance(&world), 900);
    world_done(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_is_answered_and_charged),
        cmocka_unit_test(what_fails_is_told_and_costs_nothing),
        cmocka_unit_test(nothing_is_rendered_that_may_not_be),
        cmocka_unit_test(only_what_was_looked_at_costs_rate),
        cmocka_unit_test(who_goes_away_cancels_and_is_not_charged),
        cmocka_unit_test(the_balance_comes_back_after_cancelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
