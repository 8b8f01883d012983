/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/postgres/metrics.h"

struct PostgresMetrics {
    const Db *db;
    Metrics *metrics;
    Metric *primary, *replica, *behind, *conflicts, *lost, *connects, *replica_down;
};

static void collect(void *userdata) {
    PostgresMetrics *self = userdata;
    DbPostgresStats stats;

    db_postgres_stats(self->db, &stats);
    metric_set(self->primary, (double)stats.n_primary);
    metric_set(self->replica, (double)stats.n_replica);
    metric_set(self->behind, (double)stats.n_behind);
    metric_set(self->conflicts, (double)stats.n_conflicts);
    metric_set(self->lost, (double)stats.n_lost);
    metric_set(self->connects, (double)stats.n_connects);
    metric_set(self->replica_down, (double)stats.n_replica_down);
}

PostgresMetrics *postgres_metrics_new(const Db *db, Metrics *metrics) {
    static const char transactions[] = "Transactions, by the kind of server that was asked.";
    static const char repeated[] = "Transactions that were run again, by why.";
    PostgresMetrics *self = calloc(1, sizeof(*self));

    if (!self) {
        abort();
    }
    self->db = db;
    self->metrics = metrics;
    self->primary = metrics_counter(metrics, "imagesync_db_transactions_total",
                                    "server=\"primary\"", transactions);
    self->replica = metrics_counter(metrics, "imagesync_db_transactions_total",
                                    "server=\"replica\"", transactions);
    self->conflicts =
        metrics_counter(metrics, "imagesync_db_retries_total", "why=\"conflict\"", repeated);
    self->lost = metrics_counter(metrics, "imagesync_db_retries_total", "why=\"lost\"", repeated);
    self->behind =
        metrics_counter(metrics, "imagesync_db_replica_behind_total", "",
                        "Reads that a replica could not answer yet, which the primary did.");
    self->replica_down = metrics_counter(metrics, "imagesync_db_replica_down_total", "",
                                         "Times that a replica could not be reached or used.");
    self->connects = metrics_counter(metrics, "imagesync_db_connects_total", "",
                                     "Connections made to the database's servers.");
    metrics_collector_add(metrics, collect, self);
    return self;
}

PostgresMetrics *postgres_metrics_free(PostgresMetrics *self) {
    if (self) {
        metrics_collector_remove(self->metrics, self);
        free(self);
    }
    return NULL;
}
