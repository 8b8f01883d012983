/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/privacy/audit_retention.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "services/user/audit.h"

#define BATCH  100
#define DAY_US (86400 * 1000000LL)

typedef struct Cutting {
    const Vault *vault;
    Arena *arena;
    int64_t before_us;
    Uuid after; /* listing; else whose trail it is */

    Uuid *ids;
    size_t n_ids;
    uint64_t n_rows;
    bool more;
} Cutting;

static int list(DbTx *tx, void *userdata) {
    Cutting *cutting = userdata;

    return audit_old(tx, &cutting->after, cutting->before_us, BATCH, cutting->arena, &cutting->ids,
                     &cutting->n_ids);
}

static int cut(DbTx *tx, void *userdata) {
    Cutting *cutting = userdata;

    return audit_cut(tx, cutting->vault, &cutting->after, cutting->before_us, cutting->arena,
                     &cutting->n_rows, &cutting->more);
}

static int cut_trail(UserService *service, Housekeeping *housekeeping, const Uuid *user_id,
                     int64_t before_us) {
    Cutting cutting = {
        .vault = service->vault, .before_us = before_us, .after = *user_id, .more = true};

    while (cutting.more && housekeeping_goes_on(housekeeping)) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        int r;
        cutting.arena = arena;
        r = db_write(service->options.db, cut, &cutting, NULL);
        if (r == AUDIT_E_BROKEN) {
            log_error("audit trail does not hold");
            return 0;
        }
        if (r < 0) {
            return err_trace(r);
        }
        service->has_erased |= cutting.n_rows > 0;
    }
    return 0;
}

int audit_retention_run(UserService *service, Housekeeping *housekeeping) {
    int64_t days = (int64_t)service->options.settings->audit_keep_days;
    Cutting listing = {.before_us = clock_unix_us() - days * DAY_US};
    int r = 0;

    listing.n_ids = days == 0 ? 0 : BATCH;
    while (listing.n_ids == BATCH && r == 0 && housekeeping_goes_on(housekeeping)) {
        _cleanup_(arena_freep) Arena *arena = arena_new();
        listing.arena = arena;
        r = db_read(service->options.db, NULL, list, &listing);
        for (size_t i = 0; i < listing.n_ids && r == 0; i++) {
            listing.after = listing.ids[i];
            r = cut_trail(service, housekeeping, &listing.ids[i], listing.before_us);
        }
    }
    return err_trace(r);
}
