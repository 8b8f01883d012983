/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* db_postgres_stats() as metrics: read when they are rendered. */

#include "adapters/db/postgres/postgres.h"

typedef struct PostgresMetrics PostgresMetrics;

/* Both outlive what it gives. */
PostgresMetrics *postgres_metrics_new(const Db *db, Metrics *metrics);
PostgresMetrics *postgres_metrics_free(PostgresMetrics *self); /* accepts NULL, returns NULL */
