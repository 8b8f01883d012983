/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/access/http/access_http_private.h"

#include "base/clock.h"
#include "base/crypto/digest.h"
#include "base/error.h"

#include <time.h>

#define TRIES        3
#define PAUSE_MAX_MS 50 /* before the second try, and four times as long before the third */
#define BREAK_MS     1000
#define ANSWER_MAX   ((size_t)64 << 10)

/* What one try came to, in terms of the next. */
typedef enum Outcome {
    OUTCOME_ANSWERED,
    OUTCOME_UNSENT, /* not done, worth another try */
    OUTCOME_UNSURE, /* perhaps done, worth another try */
    OUTCOME_REFUSED,
} Outcome;

/* The call's own answer, as access_wire.h has it; anything else is not from the user service. */
static bool read_answer(const HttpClientAnswer *http, Arena *arena, AccessAnswer *ret_answer) {
    _cleanup_(json_decrefp) json_t *json =
        json_loadb(http->body.ptr ? http->body.ptr : "", http->body.len, 0, NULL);
    const char *where;

    *ret_answer = (AccessAnswer){0};
    return json && json_read(json, access_answer_fields, arena, ret_answer, &where) == 0;
}

static Outcome judge(const HttpClientAnswer *http, Arena *arena, AccessAnswer *ret_answer,
                     int *ret_r) {
    if (http->status == 200 && read_answer(http, arena, ret_answer)) {
        *ret_r = 0;
        return OUTCOME_ANSWERED;
    }
    *ret_r = http->status == 401 ? -EACCES : -ENOTCONN;
    /* 502 and 504 are a proxy's, which may have lost the answer; 500 may be of a lost COMMIT. */
    return http->status == 503 || http->status == 429 ? OUTCOME_UNSENT
           : http->status >= 500                      ? OUTCOME_UNSURE
                                                      : OUTCOME_REFUSED;
}

static int post(AccessHttp *self, AccessVerb verb, Str token, Str body, Arena *arena,
                HttpClientAnswer *ret_answer) {
    const char *const headers[] = {
        "Content-Type: application/json",
        arena_printf(arena, "Authorization: Bearer %.*s", (int)token.len, token.ptr), NULL};
    const HttpClientCall call = {.method = "POST",
                                 .path = access_wire_paths[verb],
                                 .headers = headers,
                                 .body = body,
                                 .answer_max = ANSWER_MAX};

    return http_client_send(self->http, &call, arena, ret_answer);
}

static Outcome try_once(AccessHttp *self, AccessVerb verb, Str body, Arena *arena,
                        AccessAnswer *ret_answer, int *ret_r) {
    _cleanup_(buf_done) Buf token = BUF_INIT;
    HttpClientAnswer http;
    int r = service_token_sign(self->options.signer, clock_unix_s(), &token);

    if (r < 0) {
        *ret_r = r;
        return OUTCOME_REFUSED;
    }
    r = post(self, verb, buf_str(&token), body, arena, &http);
    if (r < 0) {
        *ret_r = -ENOTCONN;
        return r == -ECONNREFUSED ? OUTCOME_UNSENT : OUTCOME_UNSURE;
    }
    return judge(&http, arena, ret_answer, ret_r);
}

static void pause_before(unsigned attempt) {
    uint32_t max_us = (PAUSE_MAX_MS * 1000u) << (2 * (attempt - 1));
    struct timespec pause = {.tv_nsec = arc4random_uniform(max_us) * 1000L};

    nanosleep(&pause, NULL);
}

int access_http_call(AccessHttp *self, AccessVerb verb, const AccessQuestion *question, bool always,
                     Arena *arena, AccessAnswer *ret_answer, bool *ret_unsure) {
    _cleanup_(json_decrefp) json_t *json = json_write(access_question_fields, question);
    _cleanup_(freep) char *body = json_dumps(json, JSON_COMPACT);
    uint64_t give_up_ms = clock_mono_ms() + self->options.timeout_ms;
    Outcome outcome = OUTCOME_UNSENT;
    int r = -ENOTCONN;

    *ret_unsure = false;
    if (!always && clock_mono_ms() < atomic_load(&self->down_until_ms)) {
        metric_add(self->failed, 1);
        return -ENOTCONN;
    }
    for (unsigned attempt = 0; attempt < TRIES; attempt++) {
        if (attempt > 0) {
            pause_before(attempt);
            metric_add(self->retries, 1);
        }
        outcome = try_once(self, verb, str_from(body), arena, ret_answer, &r);
        if (outcome == OUTCOME_ANSWERED || outcome == OUTCOME_REFUSED ||
            clock_mono_ms() >= give_up_ms) {
            break;
        }
        *ret_unsure |= outcome == OUTCOME_UNSURE;
    }
    metric_set(self->up, outcome == OUTCOME_ANSWERED);
    metric_add(outcome == OUTCOME_ANSWERED ? self->answered : self->failed, 1);
    atomic_store(&self->down_until_ms,
                 outcome == OUTCOME_ANSWERED ? 0 : clock_mono_ms() + BREAK_MS);
    return err_trace(r);
}

const char *access_http_id_text(const Uuid *id, Arena *arena) {
    char text[UUID_TEXT_SIZE];

    uuid_text(id, text);
    return arena_strdup(arena, str_from(text));
}

typedef struct Lookup {
    AccessHttp *self;
    Str key;
    const uint8_t *secret_hash;
    const Uuid *user_id, *key_id;
    bool asked;
} Lookup;

/* The answer is about the key that was asked for, or about none. */
static bool is_about(const Lookup *lookup, const AccessAnswer *answer) {
    Uuid user_id, key_id;

    return answer->user_id && answer->key_id &&
           uuid_parse(str_from(answer->user_id), &user_id) == 0 &&
           uuid_parse(str_from(answer->key_id), &key_id) == 0 &&
           uuid_equal(&user_id, lookup->user_id) && uuid_equal(&key_id, lookup->key_id);
}

static int load_key(void *userdata, Arena *arena, Str *ret_value) {
    Lookup *lookup = userdata;
    AccessQuestion question = {.key = arena_strdup(arena, lookup->key)};
    AccessAnswer answer;
    AccessKeyRecord *record;
    bool unsure;
    int r =
        access_http_call(lookup->self, ACCESS_VERB_KEY, &question, false, arena, &answer, &unsure);

    lookup->asked = true;
    if (r < 0) {
        return r;
    }
    if (answer.result == ACCESS_E_NONE) {
        return READ_THROUGH_E_NONE;
    }
    if (answer.result != 0 || !is_about(lookup, &answer)) {
        return err_trace(-ENOTCONN);
    }
    record = arena_alloc(arena, sizeof(*record)); /* zeroed, padding too: it is written out */
    memcpy(record->secret_hash, lookup->secret_hash, ACCESS_KEY_HASH_LEN);
    record->scopes = (uint32_t)answer.scopes;
    record->expires_us = (int64_t)answer.expires_us;
    *ret_value = (Str){(const char *)record, sizeof(*record)};
    return 0;
}

static int find_key(Access *base, Str key, AccessKey *ret_key) {
    AccessHttp *self = (AccessHttp *)base;
    const ReadThroughPolicy policy = {.ttl_ms = ACCESS_KEY_TTL_MS,
                                      .wait_ms = 2 * self->options.timeout_ms};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    char name[ACCESS_KEY_CACHE_KEY_SIZE];
    uint8_t secret_hash[ACCESS_KEY_HASH_LEN];
    AccessKeyRecord record;
    Uuid user_id, key_id;
    Lookup lookup = {self, key, secret_hash, &user_id, &key_id, false};
    Str value;
    int r;

    if (access_key_parse(key, &user_id, &key_id, secret_hash) < 0) {
        return ACCESS_E_NONE;
    }
    r = read_through_get(self->keys, access_key_cache_key(&user_id, &key_id, name), &policy,
                         load_key, &lookup, arena, &value);
    /* Another's question was of these ids too, but perhaps with a wrong secret. */
    if (r == READ_THROUGH_E_NONE && !lookup.asked) {
        r = load_key(&lookup, arena, &value);
    }
    if (r != 0) {
        return r == READ_THROUGH_E_NONE ? ACCESS_E_NONE : err_trace(r);
    }
    if (value.len != sizeof(record)) {
        return ACCESS_E_NONE;
    }
    memcpy(&record, value.ptr, sizeof(record));
    if (!digest_equal(record.secret_hash, secret_hash, sizeof(secret_hash)) ||
        (record.expires_us != 0 && record.expires_us <= clock_unix_us())) {
        return ACCESS_E_NONE;
    }
    *ret_key = (AccessKey){user_id, key_id, record.scopes, record.expires_us};
    return 0;
}

static int credits(Access *base, const Uuid *user_id, uint64_t *ret_available) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    AccessQuestion question = {.user_id = access_http_id_text(user_id, arena)};
    AccessAnswer answer;
    bool unsure;
    int r = access_http_call((AccessHttp *)base, ACCESS_VERB_CREDITS, &question, false, arena,
                             &answer, &unsure);

    if (r < 0) {
        return r;
    }
    *ret_available = answer.available;
    return answer.result == 0 ? 0 : err_trace(-ENOTCONN);
}

static AccessQuestion about(const AccessReservation *reservation, Arena *arena) {
    return (AccessQuestion){.user_id = access_http_id_text(&reservation->user_id, arena),
                            .reservation_id =
                                access_http_id_text(&reservation->reservation_id, arena),
                            .amount = reservation->amount};
}

static int reserve(Access *base, const AccessReservation *reservation) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    AccessQuestion question = about(reservation, arena);
    AccessAnswer answer;
    bool unsure;
    int r;

    if (reservation->amount == 0 || reservation->amount > ACCESS_AMOUNT_MAX) {
        return err_trace(-EINVAL);
    }
    r = access_http_call((AccessHttp *)base, ACCESS_VERB_RESERVE, &question, false, arena, &answer,
                         &unsure);
    return r < 0 ? r : answer.result;
}

static int settle(Access *base, const AccessReservation *reservation, bool charge) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    AccessQuestion question = about(reservation, arena);
    AccessAnswer answer;
    bool unsure;
    int r = access_http_call((AccessHttp *)base, charge ? ACCESS_VERB_CHARGE : ACCESS_VERB_RELEASE,
                             &question, true, arena, &answer, &unsure);

    if (r < 0) {
        return r;
    }
    /* It is gone because an earlier try of ours settled it, whose answer was lost. */
    return answer.result == ACCESS_E_GONE && unsure ? 0 : answer.result;
}

int access_http_ping(Access *access) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    AccessAnswer answer;
    bool unsure;

    return access_http_call((AccessHttp *)access, ACCESS_VERB_PING, &(AccessQuestion){0}, true,
                            arena, &answer, &unsure);
}

static void register_metrics(AccessHttp *self) {
    static const char calls[] = "Calls to the user service, by what became of them.";
    Metrics *metrics = self->options.metrics;

    self->up = metrics_gauge(metrics, "imagesync_user_service_up", "",
                             "Whether the user service answered when it was last asked.");
    self->answered = metrics_counter(metrics, "imagesync_user_service_calls_total",
                                     "result=\"answered\"", calls);
    self->failed =
        metrics_counter(metrics, "imagesync_user_service_calls_total", "result=\"failed\"", calls);
    self->retries = metrics_counter(metrics, "imagesync_user_service_retries_total", "",
                                    "Calls to the user service that were repeated.");
}

int access_http_new(const AccessHttpOptions *options, Access **ret_access, const char **reterr) {
    static const AccessImpl impl = {.find_key = find_key,
                                    .find_caller = access_http_find_caller,
                                    .library_key = access_http_library_key,
                                    .credits = credits,
                                    .reserve = reserve,
                                    .settle = settle};
    _cleanup_(http_client_freep) HttpClient *http = http_client_new(&(HttpClientOptions){
        .url = options->url, .ca_file = options->ca_file, .timeout_ms = options->timeout_ms});
    AccessHttp *self;

    if (!http) {
        *reterr = "give http://HOST:PORT or https://HOST:PORT, without a user name";
        return -EINVAL;
    }
    self = calloc(1, sizeof(*self));
    if (!self) {
        abort();
    }
    self->base.impl = &impl;
    self->options = *options;
    self->http = TAKE_PTR(http);
    self->keys = read_through_new(options->cache);
    register_metrics(self);
    *ret_access = &self->base;
    return 0;
}

Access *access_http_free(Access *access) {
    AccessHttp *self = (AccessHttp *)access;

    if (self) {
        read_through_free(self->keys);
        http_client_free(self->http);
        free(self);
    }
    return NULL;
}
