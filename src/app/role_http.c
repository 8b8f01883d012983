/* SPDX-License-Identifier: Apache-2.0 */

/* The server: the process that talks to clients and owns the workers. */

#include "app/cli.h"
#include "app/file_io.h"
#include "app/file_limit.h"
#include "app/image_part.h"
#include "app/listen_address.h"
#include "app/registry.h"
#include "app/renderer_part.h"
#include "app/retention.h"
#include "app/roles.h"
#include "app/sync_part.h"
#include "app/system_routes.h"
#include "app/user_part.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_buffer.h"
#include "inference/model.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#define READY_POLL_MS      100
#define CERTIFICATE_POLL_S 1

typedef struct Server {
    const CliCall *call;
    ListenAddress listen;
    unsigned parts;
    Netguard guard, proxies;
    HttpTls *tls; /* NULL: plain HTTP */
    Metric *tls_expires;
    Metrics *metrics;
    Cache *cache;
    Db *db;
    Mailer *mailer;
    Renderer *renderer; /* NULL: no part here reads pictures */
    ImagePart image;
    UserPart user;
    SyncPart sync;
    SystemContext system;
    HttpServer *http;
} Server;

static void server_done(Server *server) {
    http_server_stop(server->http);
    http_tls_free(server->tls);
    /* What goes on to the renderer ends before it; what it still renders is told so. */
    user_part_end_requests(&server->user);
    sync_part_end_requests(&server->sync);
    image_part_end_requests(&server->image);
    renderer_free(server->renderer);
    image_part_done(&server->image);
    sync_part_done(&server->sync);
    user_part_done(&server->user);
    mailer_free(server->mailer);
    cache_free(server->cache);
    db_free(server->db);
    if (server->metrics) {
        metrics_free(server->metrics);
    }
}

static int read_addresses(Server *server) {
    const Settings *settings = server->call->settings;
    Str at = {0};

    if (listen_address_parse(settings->listen, server->call->arena, &server->listen) < 0) {
        return cli_no_start("--listen '%s' is no address to listen on; give ADDRESS:PORT with a "
                            "numeric address, such as 127.0.0.1:8080 or [::]:8080",
                            settings->listen);
    }
    if (netguard_allow(&server->guard, str_from(settings->fetch_allow), &at) < 0) {
        return cli_no_start("--fetch-allow: '%.*s' is no range of addresses such as 10.1.0.0/16",
                            (int)at.len, at.ptr ? at.ptr : "");
    }
    if (netguard_allow(&server->proxies, str_from(settings->trusted_proxies), &at) < 0) {
        return cli_no_start("--trusted-proxies: '%.*s' is no range of addresses such as "
                            "10.1.0.0/16",
                            (int)at.len, at.ptr ? at.ptr : "");
    }
    return EXIT_OK;
}

static int make_folders(const Settings *settings) {
    int r = file_make_folders(settings->cache_dir);

    if (r == 0 && access(settings->data, W_OK) < 0) {
        r = err_errno();
    }
    return r == 0 ? EXIT_OK
                  : cli_no_start("cannot write to the data folder %s: %s; give another with --data",
                                 settings->data, strerror(-r));
}

/* Whether it answers at all: asked for something that nobody puts there. */
static void say_whether_cached(Server *server) {
    Str value;

    if (cache_get(server->cache, str_lit("start"), server->call->arena, &value) < 0) {
        log_warn("cache unreachable, going on without it until it answers");
    }
}

static int open_cache(Server *server) {
    const char *error = "";

    if (registry_open_cache(server->call->settings, server->metrics, &server->cache, &error) < 0) {
        return cli_no_start("--cache: %s", error);
    }
    say_whether_cached(server);
    return EXIT_OK;
}

static int start_database(Server *server) {
    const Settings *settings = server->call->settings;
    Arena *arena = server->call->arena;
    const char *error = "";
    size_t n_applied = 0;

    if (registry_open_database(settings, false, arena, &server->db, &error) < 0 ||
        registry_prepare_database(settings, server->db, arena, &n_applied, &error) < 0) {
        return cli_no_start("%s", error);
    }
    registry_database_metrics(settings, server->db, server->metrics);
    if (n_applied > 0) {
        log_info("database migrated", LOG_INT("applied", n_applied));
    }
    return EXIT_OK;
}

static int start_user(Server *server) {
    UserPartBase base = {.settings = server->call->settings,
                         .cache = server->cache,
                         .metrics = server->metrics,
                         .serves_image = !(server->parts & PART_IMAGE),
                         .serves_sync = !(server->parts & PART_SYNC)};
    Arena *arena = server->call->arena;
    const char *error = "";

    base.db = server->db;
    if (registry_open_mailer(base.settings, arena, &server->mailer, &error) < 0) {
        return cli_no_start("%s", error);
    }
    base.mailer = server->mailer;
    if (user_part_start(&base, arena, &server->user, &error) < 0) {
        return cli_no_start("%s", error);
    }
    return EXIT_OK;
}

static int start_image(Server *server) {
    ImagePartBase base = {.settings = server->call->settings,
                          .renderer = server->renderer,
                          .access = server->user.service ? user_service_access(server->user.service)
                                                         : NULL,
                          .cache = server->cache,
                          .metrics = server->metrics,
                          .guard = &server->guard,
                          .listen_address = server->listen.address};
    const char *error = "";

    if (image_part_start(&base, server->call->arena, &server->image, &error) < 0) {
        return cli_no_start("%s", error);
    }
    return EXIT_OK;
}

static int start_sync(Server *server) {
    SyncPartBase base = {.settings = server->call->settings,
                         .db = server->db,
                         .access = server->user.service ? user_service_access(server->user.service)
                                                        : NULL,
                         .cache = server->cache,
                         .renderer = server->renderer,
                         .metrics = server->metrics};
    const char *error = "";

    if (sync_part_start(&base, server->call->arena, &server->sync, &error) < 0) {
        return cli_no_start("%s", error);
    }
    return EXIT_OK;
}

static int start_renderer(Server *server) {
    const CliCall *call = server->call;
    const char *error = "";

    if (renderer_part_start(call->settings, server->parts, server->metrics, call->arena,
                            &server->renderer, &error) < 0) {
        return cli_no_start("%s", error);
    }
    return EXIT_OK;
}

static int start_parts(Server *server) {
    int r;

    server->metrics = metrics_new();
    r = open_cache(server);
    if (r == EXIT_OK && server->parts & (PART_USER | PART_SYNC)) {
        r = start_database(server);
    }
    if (r == EXIT_OK && server->parts & PART_USER) {
        r = start_user(server);
    }
    if (r == EXIT_OK) {
        r = start_renderer(server);
    }
    if (r == EXIT_OK && server->parts & PART_IMAGE) {
        r = start_image(server);
    }
    if (r == EXIT_OK && server->parts & PART_SYNC) {
        r = start_sync(server);
    }
    if (r == EXIT_OK && server->user.service && server->sync.service) {
        user_service_set_libraries(server->user.service,
                                   sync_service_libraries(server->sync.service));
    }
    if (r == EXIT_OK && server->user.service) {
        user_service_set_renderer(server->user.service, server->renderer);
    }
    return r;
}

/* Where people reach it, as links in mails say. */
static void set_public_url(uint16_t port, void *userdata) {
    Server *server = userdata;
    const char *configured = server->call->settings->user.public_url;
    bool v6 = strchr(server->listen.address, ':') != NULL;
    Str url = str_from(configured);

    if (!server->user.service) {
        return;
    }
    if (url.len == 0) {
        url =
            str_from(arena_printf(server->call->arena, "http%s://%s%s%s:%u", server->tls ? "s" : "",
                                  v6 ? "[" : "", server->listen.address, v6 ? "]" : "", port));
    }
    while (url.len > 0 && url.ptr[url.len - 1] == '/') {
        url.len--;
    }
    user_service_set_public_url(server->user.service, arena_strdup(server->call->arena, url));
}

static void certificate_loaded(Server *server) {
    int64_t expires_s = http_tls_expires_s(server->tls);

    metric_set(server->tls_expires, (double)expires_s);
    log_info("certificate loaded",
             LOG_INT("expires_in_days", (expires_s - clock_unix_s()) / 86400));
}

static int open_tls(Server *server) {
    const Settings *settings = server->call->settings;
    const char *error = "";

    if (settings->tls_certificate[0] == '\0' && settings->tls_key[0] == '\0') {
        return EXIT_OK;
    }
    if (settings->tls_certificate[0] == '\0' || settings->tls_key[0] == '\0') {
        return cli_no_start("--tls-certificate and --tls-key go together; one of them is missing");
    }
    if (http_tls_new(settings->tls_certificate, settings->tls_key, server->call->arena,
                     &server->tls, &error) < 0) {
        return cli_no_start("%s", error);
    }
    server->tls_expires =
        metrics_gauge(server->metrics, "imagesync_tls_certificate_expires_seconds", "",
                      "When the certificate expires, in seconds since 1970.");
    certificate_loaded(server);
    return EXIT_OK;
}

static void renew_certificate(Server *server) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *error = "";
    int r = http_tls_reload(server->tls, arena, &error);

    if (r == 0) {
        certificate_loaded(server);
    } else if (r < 0) {
        log_error("certificate not loaded", LOG_STR("error", error));
    }
}

static int explain_address(const Server *server, int r) {
    const char *listen = server->call->settings->listen;

    switch (r) {
    case -EADDRINUSE:
        return cli_no_start("the address %s is in use by another program; stop that, or choose "
                            "another with --listen",
                            listen);
    case -EADDRNOTAVAIL:
        return cli_no_start("%s is no address of this machine; choose another with --listen",
                            listen);
    case -EACCES:
        return cli_no_start("listening on %s is not permitted; ports from 1024 on are free to all",
                            listen);
    default:
        return cli_no_start("cannot listen on %s: %s", listen, strerror(-r));
    }
}

static void log_request(const HttpFinished *finished, void *userdata) {
    (void)userdata;
    log_info("request done", LOG_STR("request_id", finished->request_id),
             LOG_STR("peer", finished->peer), LOG_STR("method", finished->method),
             LOG_STR("path", finished->path), LOG_INT("status", finished->status),
             LOG_INT("bytes_in", finished->bytes_in), LOG_INT("bytes_out", finished->bytes_out),
             LOG_DOUBLE("ms", finished->seconds * 1000));
}

static int start_http(Server *server) {
    const Settings *settings = server->call->settings;
    HttpRouteGroup groups[IMAGE_SERVICE_GROUPS + USER_SERVICE_GROUPS + SYNC_SERVICE_GROUPS + 1];
    HttpOptions options = {
        .address = server->listen.address,
        .port = server->listen.port,
        .threads = (unsigned)settings->http_threads,
        .connections_max = file_limit_connections((unsigned)settings->connections_max),
        .connections_per_address_max = (unsigned)settings->connections_per_address_max,
        .idle_timeout_s = (unsigned)settings->idle_timeout_s,
        .receive_timeout_s = (unsigned)settings->receive_timeout_s,
        .tls = server->tls,
        .trusted_proxies = settings->trusted_proxies[0] ? &server->proxies : NULL,
        .body_memory_max = settings->body_memory_mib << 20,
        .metrics = server->metrics,
        .on_finished = log_request,
        .on_listening = set_public_url,
        .on_listening_userdata = server,
    };
    size_t n = 0;
    int r;

    server->system = (SystemContext){server->renderer, server->metrics};
    if (server->image.service) {
        memcpy(groups, image_service_groups(server->image.service),
               IMAGE_SERVICE_GROUPS * sizeof(groups[0]));
        n += IMAGE_SERVICE_GROUPS;
    }
    if (server->user.service) {
        memcpy(groups + n, user_service_groups(server->user.service),
               USER_SERVICE_GROUPS * sizeof(groups[0]));
        n += USER_SERVICE_GROUPS;
    }
    if (server->sync.service) {
        memcpy(groups + n, sync_service_groups(server->sync.service),
               SYNC_SERVICE_GROUPS * sizeof(groups[0]));
        n += SYNC_SERVICE_GROUPS;
    }
    groups[n++] = system_routes(&server->system, server->call->arena);
    r = http_server_start(&options, groups, n, &server->http);
    return r < 0 ? explain_address(server, r) : EXIT_OK;
}

static void say_listening(const Server *server) {
    const Settings *settings = server->call->settings;
    uint16_t port = http_server_port(server->http);
    bool v6 = strchr(server->listen.address, ':') != NULL;
    ModelManifest model = {.precision = "unknown precision"};
    const char *where;

    log_info("listening", LOG_STR("address", server->listen.address), LOG_INT("port", port),
             LOG_STR("services", settings->services),
             LOG_STR("model", server->image.service ? settings->model : "-"));
    if (isatty(STDERR_FILENO) && !server->image.service) {
        fprintf(stderr, "Image Sync (%s) is serving on http%s://%s%s%s:%u\n", settings->services,
                server->tls ? "s" : "", v6 ? "[" : "", server->listen.address, v6 ? "]" : "", port);
    } else if (isatty(STDERR_FILENO)) {
        model_manifest_load(settings->models_dir, settings->model, server->call->arena, &model,
                            &where);
        fprintf(stderr, "Image Sync is serving on http%s://%s%s%s:%u (model %s, %s)\n",
                server->tls ? "s" : "", v6 ? "[" : "", server->listen.address, v6 ? "]" : "", port,
                settings->model, model.precision);
    }
}

/* Until SIGTERM; says once when the first picture could be read, or cut out. */
static void wait_for_end(Server *server, const sigset_t *signals) {
    const struct timespec until_ready = {.tv_nsec = READY_POLL_MS * 1000000L};
    const struct timespec certificate = {.tv_sec = CERTIFICATE_POLL_S};
    const struct timespec retention = {.tv_sec = RETENTION_PERIOD_MS / 1000};
    uint64_t swept_ms = clock_mono_ms();
    bool ready = !server->renderer;

    for (;;) {
        const struct timespec *timeout = !ready        ? &until_ready
                                         : server->tls ? &certificate
                                                       : &retention;
        int signal = sigtimedwait(signals, NULL, timeout);
        RendererStats stats;
        if (signal == SIGTERM) {
            return;
        }
        if (signal == SIGHUP && server->user.service) {
            user_part_reload_keys(&server->user);
        }
        if (server->tls) {
            renew_certificate(server);
        }
        if (clock_mono_ms() - swept_ms >= RETENTION_PERIOD_MS) {
            swept_ms = clock_mono_ms();
            retention_sweep(server->call->settings);
        }
        if (!ready) {
            renderer_stats(server->renderer, &stats);
            ready = stats.ready;
            if (ready) {
                log_info("ready", LOG_INT("workers", stats.workers_alive));
            }
        }
    }
}

static int serve(const CliCall *call) {
    uint32_t drain_ms = (uint32_t)call->settings->drain_timeout_s * 1000;
    _cleanup_(server_done) Server server = {.call = call};
    LogLevel level = LOG_LEVEL_INFO;
    const char *error = "";
    sigset_t signals;
    int status;

    log_level_parse(call->settings->log_level, &level);
    log_setup(level, "http");
    /* Before any thread starts, so that all of them leave these to this one. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (log_buffer_start() < 0) {
        return cli_no_start("cannot start a thread");
    }
    if (registry_services(call->settings, call->arena, &server.parts, &error) < 0) {
        return cli_no_start("%s", error);
    }
    if ((status = read_addresses(&server)) != EXIT_OK ||
        (status = make_folders(call->settings)) != EXIT_OK ||
        (status = start_parts(&server)) != EXIT_OK || (status = open_tls(&server)) != EXIT_OK ||
        (status = start_http(&server)) != EXIT_OK) {
        return status;
    }
    if (server.user.service) {
        user_part_listening(&server.user);
    }
    if (server.sync.service) {
        sync_part_listening(&server.sync);
    }
    say_listening(&server);
    retention_sweep(call->settings);
    wait_for_end(&server, &signals);
    log_info("draining", LOG_INT("timeout_ms", drain_ms));
    http_server_drain(server.http, drain_ms);
    if (server.user.service) {
        user_part_drain(&server.user, drain_ms);
    }
    if (server.sync.service) {
        sync_part_drain(&server.sync, drain_ms);
    }
    if (server.renderer) {
        renderer_drain(server.renderer, drain_ms);
    }
    log_info("stopped");
    return EXIT_OK;
}

/* The same words as `serve` got from the person who started it. */
int role_http(int argc, char **argv) {
    static const CliCommand command = {
        .name = "serve", .arguments = "", .summary = "", .settings = SETTINGS_ALL, .run = serve};

    int status = cli_run(&command, argc - 1, argv + 1);

    log_buffer_end();
    return status;
}
