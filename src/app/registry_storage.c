/* SPDX-License-Identifier: Apache-2.0 */

/* Where files, jobs and events go. */

#include "adapters/blobs/folder/folder.h"
#include "adapters/blobs/s3/s3.h"
#include "adapters/events/kafka/kafka.h"
#include "adapters/queue/rabbitmq/rabbitmq.h"
#include "adapters/queue/sql/sql.h"
#include "app/file_io.h"
#include "app/registry.h"
#include "app/trouble_log.h"
#include "base/error.h"
#include "services/sync/photo/ingest.h"

static int open_folder(const Settings *settings, const char *id, Arena *arena, Blobs **ret_blobs,
                       char ret_id[BLOB_STORE_ID_LEN + 1], const char **reterr_text) {
    const char *reason = NULL;
    int r;

    if (str_starts_with(str_from(settings->blobs), str_from(settings->data))) {
        /* What goes wrong shows when the store is opened. */
        file_make_folders(settings->data);
    }
    r = blobs_folder_new(settings->blobs, id, ret_blobs, ret_id, &reason);
    if (r < 0) {
        *reterr_text = arena_printf(
            arena, "--blobs %s: %s%s", settings->blobs, reason ? reason : strerrordesc_np(-r),
            r == -ENOMEDIUM ? "; all processes of a database share one store of files" : "");
    }
    return r;
}

static int open_s3(const Settings *settings, const char *id, Arena *arena, Blobs **ret_blobs,
                   char ret_id[BLOB_STORE_ID_LEN + 1], const char **reterr_text) {
    BlobsS3Options options = {.endpoint = settings->s3_endpoint,
                              .region = settings->s3_region,
                              .bucket = settings->s3_bucket,
                              .prefix = settings->s3_prefix,
                              .access_key = settings->s3_access_key,
                              .secret_key = settings->s3_secret_key,
                              .ca_file = settings->s3_ca,
                              .timeout_ms = (uint32_t)settings->s3_timeout_ms};
    const char *reason = NULL;
    int r = blobs_s3_new(&options, id, ret_blobs, ret_id, &reason);

    if (r < 0) {
        *reterr_text = arena_printf(arena,
                                    "--blobs s3: %s; look at the settings s3-endpoint, "
                                    "s3-bucket, s3-access-key, s3-secret-key and "
                                    "trusted-certificates",
                                    reason ? reason : strerrordesc_np(-r));
    }
    return r;
}

int registry_open_blobs(const Settings *settings, const char *id, Arena *arena, Blobs **ret_blobs,
                        char ret_id[BLOB_STORE_ID_LEN + 1], const char **reterr_text) {
    return strcmp(settings->blobs, "s3") == 0
               ? open_s3(settings, id, arena, ret_blobs, ret_id, reterr_text)
               : open_folder(settings, id, arena, ret_blobs, ret_id, reterr_text);
}

int registry_open_queue(const Settings *settings, Db *db, QueueUse use, Metrics *metrics,
                        Arena *arena, Queue **ret_queue, const char **reterr_text) {
    const QueuePolicy policy = {.attempts_max = INGEST_ATTEMPTS_MAX};
    QueueSqlOptions sql = {.db = db,
                           .alone = use == QUEUE_USE_SERVE && db_dialect(db) == DB_DIALECT_SQLITE,
                           .policy = policy,
                           .metrics = metrics};
    QueueRabbitmqOptions rabbitmq = {.url = settings->queue,
                                     .files = registry_tls_files(settings),
                                     .tell = trouble_log,
                                     .policy = policy,
                                     .metrics = metrics};
    const char *reason = NULL;
    int r;

    if (strcmp(settings->queue, "sql") == 0) {
        r = queue_sql_new(&sql, ret_queue);
    } else if (str_starts_with(str_from(settings->queue), str_lit("amqp"))) {
        r = queue_rabbitmq_new(&rabbitmq, ret_queue, &reason);
    } else {
        r = -EINVAL;
        reason = "give sql, amqp://user:password@host:port/vhost, or amqps:// for TLS";
    }
    if (r < 0) {
        /* Without the address: there may be a password in it. */
        *reterr_text = arena_printf(arena, "--queue: %s", reason ? reason : strerrordesc_np(-r));
    }
    return r;
}

int registry_open_events(const Settings *settings, Arena *arena, EventSink **ret_sink,
                         const char **reterr_text) {
    EventsKafkaOptions kafka = {.url = settings->events,
                                .config_file = settings->events_config,
                                .ca_file = settings->trusted_certificates,
                                .tell = trouble_log};
    const char *reason = "give sql, or kafka://HOST:PORT[,HOST:PORT]/PREFIX";
    int r = str_starts_with(str_from(settings->events), str_lit("kafka:"))
                ? events_kafka_new(&kafka, arena, ret_sink, &reason)
                : -EINVAL;

    if (r < 0) {
        *reterr_text = arena_printf(arena, "--events: %s", reason);
    }
    return r;
}
