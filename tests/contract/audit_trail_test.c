/* SPDX-License-Identifier: Apache-2.0 */

/* Audit trails on any engine: rows that were kept long enough are cut off, and the rest holds. */

#include "adapters/db/migrations.h"
#include "db_testing.h"
#include "services/user/audit.h"

#include <stdio.h>
#include <unistd.h>

#define PARTITIONS 4

static const char *url;

typedef struct Trails {
    Db *db;
    MasterKeyRing *master;
    Vault *vault;
    Arena *arena;
    UserKey key; /* of the user whose trail it is */
} Trails;

static int open_vault(Trails *trails) {
    static char nothing[] = "DELETE FROM user_service_key; DELETE FROM user_audit; "
                            "DELETE FROM user_audit_anchor;";
    char path[] = "/tmp/audit-trail-test-XXXXXX";
    MasterKeySource source = {.path = path};
    const char *error = "";
    size_t n;
    int fd = mkstemp(path), r;

    if (fd < 0) {
        return -1;
    }
    close(fd);
    unlink(path);
    r = migrations_up(trails->db, migrations_embedded, PARTITIONS, trails->arena, &n, &error);
    if (r == 0) {
        r = db_write(trails->db, run_script, nothing, NULL);
    }
    if (r == 0) {
        r = master_key_file_create(path);
    }
    if (r == 0) {
        r = master_key_ring_new(&source, &trails->master, &error);
    }
    if (r == 0) {
        r = vault_new(trails->db, trails->master, &trails->vault);
    }
    unlink(path);
    if (r != 0) {
        fprintf(stderr, "%d %s\n", r, error);
    }
    return r;
}

static int set_up(void **state) {
    Trails *trails = calloc(1, sizeof(*trails));

    trails->arena = arena_new();
    *state = trails;
    return db_engine_open(url, &trails->db) == 0 && open_vault(trails) == 0 ? 0 : -1;
}

static int tear_down(void **state) {
    Trails *trails = *state;

    vault_free(trails->vault);
    master_key_ring_free(trails->master);
    db_free(trails->db);
    arena_free(trails->arena);
    free(trails);
    return 0;
}

static int begin(void **state) {
    Trails *trails = *state;

    trails->key = (UserKey){.user_id = uuid_new()};
    memset(trails->key.bytes, 7, sizeof(trails->key.bytes));
    return 0;
}

typedef struct Adding {
    const Trails *trails;
    int64_t from, to; /* each row's time is its number */
} Adding;

static int add(DbTx *tx, void *userdata) {
    const Adding *adding = userdata;
    const AuditEvent event = {.action = "session.created", .address = "127.0.0.1"};

    for (int64_t at = adding->from; at <= adding->to; at++) {
        int r = audit_append(tx, adding->trails->vault, &adding->trails->key, at,
                             adding->trails->arena, &event);
        if (r != 0) {
            return r;
        }
    }
    return 0;
}

/* The trail gets rows up to that number, and its end is given. */
static AuditEnd grow_to(Trails *trails, int64_t from, int64_t to) {
    Adding adding = {trails, from, to};
    AuditEnd end = {0};

    assert_int_equal(db_write(trails->db, add, &adding, NULL), 0);
    assert_int_equal(audit_verify(trails->db, trails->vault, &trails->key.user_id, NULL, &end), 0);
    assert_int_equal(end.seq, to);
    return end;
}

typedef struct Cutting {
    const Trails *trails;
    int64_t before;
    uint64_t n;
    bool more;
} Cutting;

static int cut_some(DbTx *tx, void *userdata) {
    Cutting *cutting = userdata;

    return audit_cut(tx, cutting->trails->vault, &cutting->trails->key.user_id, cutting->before,
                     cutting->trails->arena, &cutting->n, &cutting->more);
}

static int cut(Trails *trails, int64_t before, uint64_t *ret_n) {
    Cutting cutting = {.trails = trails, .before = before, .more = true};
    int r = 0;

    *ret_n = 0;
    while (cutting.more && r == 0) {
        r = db_write(trails->db, cut_some, &cutting, NULL);
        *ret_n += r == 0 ? cutting.n : 0;
    }
    return r;
}

static int verify(Trails *trails, const AuditEnd *kept, AuditEnd *ret_end) {
    *ret_end = (AuditEnd){0};
    return audit_verify(trails->db, trails->vault, &trails->key.user_id, kept, ret_end);
}

static void change(Trails *trails, const DbStatement *statement) {
    const DbValue id = DB_BLOB(uuid_str(&trails->key.user_id));
    Steps steps = STEPS(NULL, {statement, &id});

    assert_int_equal(db_write(trails->db, run_steps, &steps, NULL), 0);
    assert_true(steps.steps[0].changed > 0);
}

static void rows_go_and_the_rest_holds(void **state) {
    Trails *trails = *state;
    AuditEnd early = grow_to(trails, 1, 300), last_cut = grow_to(trails, 301, 999);
    AuditEnd late = grow_to(trails, 1000, 1100), end;
    uint64_t n;

    grow_to(trails, 1101, 1200);
    assert_int_equal(cut(trails, 1000, &n), 0);
    assert_int_equal(n, 999);
    assert_int_equal(verify(trails, NULL, &end), 0);
    assert_int_equal(end.seq, 1200);
    assert_int_equal(end.before, 999);
    /* Heads that were kept: of rows that are gone, of the last of those, of one that is there. */
    for (const AuditEnd **kept = (const AuditEnd *[]){&early, &last_cut, &late, NULL}; *kept;
         kept++) {
        assert_int_equal(verify(trails, *kept, &end), 0);
        assert_true(end.holds_kept);
    }
    for (AuditEnd **kept = (AuditEnd *[]){&last_cut, &late, NULL}; *kept; kept++) {
        (*kept)->mac[0] ^= 1;
        assert_int_equal(verify(trails, *kept, &end), 0);
        assert_false(end.holds_kept);
    }
    assert_int_equal(cut(trails, 1000, &n), 0);
    assert_int_equal(n, 0);
    grow_to(trails, 1201, 1210);
}

static void the_last_row_stays(void **state) {
    Trails *trails = *state;
    AuditEnd end;
    uint64_t n;

    assert_int_equal(cut(trails, INT64_MAX, &n), 0);
    assert_int_equal(n, 0);
    grow_to(trails, 1, 1);
    assert_int_equal(cut(trails, INT64_MAX, &n), 0);
    assert_int_equal(n, 0);
    grow_to(trails, 2, 501);
    assert_int_equal(cut(trails, INT64_MAX, &n), 0);
    assert_int_equal(n, 500);
    assert_int_equal(verify(trails, NULL, &end), 0);
    assert_int_equal(end.seq, 501);
    grow_to(trails, 502, 503);
}

/* Whoever writes into the database cuts nothing off by themselves. */
static void others_cannot_cut(void **state) {
    static const DbStatement gone = {"gone", "DELETE FROM user_audit_anchor WHERE user_id = ?", 1,
                                     0},
                             moved = {"moved",
                                      "UPDATE user_audit_anchor SET seq = seq + 1 "
                                      "WHERE user_id = ?",
                                      1, 0},
                             first = {"first",
                                      "DELETE FROM user_audit WHERE seq < 11 AND user_id = ?", 1,
                                      0},
                             all = {"all", "DELETE FROM user_audit WHERE user_id = ?", 1, 0};
    static const DbStatement *const bad[] = {&gone, &moved, &first, &all};
    Trails *trails = *state;
    AuditEnd end;
    uint64_t n;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        begin(state);
        grow_to(trails, 1, 20);
        assert_int_equal(cut(trails, 10, &n), 0);
        assert_int_equal(n, 9);
        change(trails, bad[i]);
        assert_int_equal(verify(trails, NULL, &end), AUDIT_E_BROKEN);
        assert_int_equal(cut(trails, 20, &n), bad[i] == &all ? 0 : AUDIT_E_BROKEN);
    }
}

static void what_was_changed_is_not_cut_off(void **state) {
    static const DbStatement changed = {
        "changed", "UPDATE user_audit SET action = 'nothing' WHERE seq = 5 AND user_id = ?", 1, 0};
    Trails *trails = *state;
    AuditEnd end;
    uint64_t n;

    grow_to(trails, 1, 20);
    change(trails, &changed);
    assert_int_equal(cut(trails, 10, &n), AUDIT_E_BROKEN);
    assert_int_equal(verify(trails, NULL, &end), AUDIT_E_BROKEN);
    assert_int_equal(end.seq, 5);
}

typedef struct Listing {
    Arena *arena;
    Uuid after, *ids;
    size_t n;
} Listing;

static int list(DbTx *tx, void *userdata) {
    Listing *listing = userdata;

    return audit_old(tx, &listing->after, 10, 100, listing->arena, &listing->ids, &listing->n);
}

static void old_trails_are_found_but_that_of_nobody(void **state) {
    Trails *trails = *state;
    Listing listing = {.arena = trails->arena};
    Uuid old, recent;
    bool found_old = false;

    grow_to(trails, 1, 3);
    old = trails->key.user_id;
    begin(state);
    grow_to(trails, 1, 1);
    recent = trails->key.user_id;
    trails->key.user_id = (Uuid){0};
    grow_to(trails, 1, 3);
    assert_int_equal(db_read(trails->db, NULL, list, &listing), 0);
    for (size_t i = 0; i < listing.n; i++) {
        assert_false(uuid_is_nil(&listing.ids[i]));
        found_old |= uuid_equal(&listing.ids[i], &old);
    }
    assert_true(found_old);
    listing.after = recent;
    assert_int_equal(db_read(trails->db, NULL, list, &listing), 0);
    assert_int_equal(listing.n, 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rows_go_and_the_rest_holds, begin),
        cmocka_unit_test_setup(the_last_row_stays, begin),
        cmocka_unit_test_setup(others_cannot_cut, begin),
        cmocka_unit_test_setup(what_was_changed_is_not_cut_off, begin),
        cmocka_unit_test_setup(old_trails_are_found_but_that_of_nobody, begin),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: %s URL\n", argv[0]);
        return 2;
    }
    url = argv[1];
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
