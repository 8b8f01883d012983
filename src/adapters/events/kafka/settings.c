/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/events/kafka/settings.h"

#include "base/error.h"
#include "core/ports/event_sink.h"

#include <stdio.h>

static void free_conf(rd_kafka_conf_t **conf) {
    if (*conf) {
        rd_kafka_conf_destroy(*conf);
    }
}

static void close_file(FILE **file) {
    if (*file) {
        fclose(*file);
    }
}

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, Arena *arena,
               const char **reterr_text) {
    char error[8]; /* it may hold the value, which may be a secret */

    if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) != RD_KAFKA_CONF_OK) {
        *reterr_text =
            arena_printf(arena, "Kafka's client does not take the value of \"%s\"", name);
        return -EINVAL;
    }
    return 0;
}

static int read_file(rd_kafka_conf_t *conf, const char *path, Arena *arena,
                     const char **reterr_text) {
    _cleanup_(close_file) FILE *file = fopen(path, "re");
    _cleanup_(freep) char *line = NULL;
    size_t capacity = 0;
    ssize_t len;

    if (!file) {
        int r = err_errno();
        *reterr_text = arena_printf(arena, "cannot read %s: %s", path, strerrordesc_np(-r));
        return r;
    }
    for (unsigned number = 1; (len = getline(&line, &capacity, file)) >= 0; number++) {
        Str text = str_trim((Str){line, (size_t)len});
        const char *equals = memchr(text.ptr, '=', text.len);
        Str name = {text.ptr, equals ? (size_t)(equals - text.ptr) : 0};
        int r;
        if (text.len == 0 || text.ptr[0] == '#') {
            continue;
        }
        if (str_trim(name).len == 0) {
            *reterr_text =
                arena_printf(arena, "line %u of %s is not \"name = value\"", number, path);
            return -EINVAL;
        }
        r = set(conf, arena_strdup(arena, str_trim(name)),
                arena_strdup(arena, str_trim((Str){equals + 1, text.len - name.len - 1})), arena,
                reterr_text);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

typedef struct Setting {
    const char *name, *value;
} Setting;

static int set_all(rd_kafka_conf_t *conf, const Setting *settings, size_t n, Arena *arena,
                   const char **reterr_text) {
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        r = set(conf, settings[i].name, settings[i].value, arena, reterr_text);
    }
    return r;
}

int kafka_settings_new(const EventsKafkaOptions *options, const char *servers, uint32_t timeout_ms,
                       Arena *arena, rd_kafka_conf_t **ret_conf, const char **reterr_text) {
    _cleanup_(free_conf) rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *file = options->config_file, *ca_file = options->ca_file;
    /* Also where the library's own default is not to look at the name. */
    const Setting before[] = {{"ssl.endpoint.identification.algorithm", "https"},
                              {"ssl.ca.location", ca_file}};
    const Setting ours[] = {
        {"bootstrap.servers", servers},
        {"client.id", "imagesync"},
        /* In order, once while it lives, and nothing after what was not written. */
        {"enable.idempotence", "true"},
        {"enable.gapless.guarantee", "true"},
        {"acks", "all"},
        {"max.in.flight.requests.per.connection", "5"},
        {"message.timeout.ms", arena_printf(arena, "%u", timeout_ms)},
        {"queue.buffering.max.messages", arena_printf(arena, "%d", 2 * EVENT_SINK_MAX)},
        {"linger.ms", "2"},
        /* By the key alone, and as Java's clients do it. */
        {"partitioner", "murmur2"},
        {"log_level", "0"},
    };
    int r = set_all(conf, before, ca_file && ca_file[0] ? 2 : 1, arena, reterr_text);

    if (r == 0 && file && file[0]) {
        r = read_file(conf, file, arena, reterr_text);
    }
    r = r < 0 ? r : set_all(conf, ours, ARRAY_LEN(ours), arena, reterr_text);
    if (r < 0) {
        return r;
    }
    *ret_conf = TAKE_PTR(conf);
    return 0;
}
