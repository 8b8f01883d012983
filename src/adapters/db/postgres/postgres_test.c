/* SPDX-License-Identifier: Apache-2.0 */

/* What can be told without a server; the rest is in tests/contract/. */

#include "adapters/db/postgres/postgres.h"

#include "adapters/db/postgres/connection.h"
#include "base/test.h"

#include <errno.h>

static const ConninfoDefaults defaults = {.connect_timeout_ms = 2500, .statement_timeout_ms = 700};

static void assert_setting(const Conninfo *conninfo, const char *keyword, const char *expected) {
    unsigned found = 0;

    for (size_t i = 0; i < conninfo->n; i++) {
        if (strcmp(conninfo->keywords[i], keyword) == 0) {
            assert_string_equal(conninfo->values[i], expected);
            found++;
        }
    }
    assert_int_equal(found, 1);
}

static void an_address_is_completed(void **state) {
    _cleanup_(conninfo_done) Conninfo conninfo = {0};

    (void)state;
    assert_int_equal(
        conninfo_init(&conninfo, "postgresql://me:pass%20word@a:1,b:2/name", &defaults), 0);
    assert_setting(&conninfo, "host", "a,b");
    assert_setting(&conninfo, "port", "1,2");
    assert_setting(&conninfo, "password", "pass word");
    assert_setting(&conninfo, "connect_timeout", "3");
    assert_setting(&conninfo, "target_session_attrs", "read-write");
    assert_setting(&conninfo, "options", "-c statement_timeout=700 ");
    assert_null(conninfo.keywords[conninfo.n]);
}

static void what_an_address_says_wins(void **state) {
    _cleanup_(conninfo_done) Conninfo conninfo = {0};

    (void)state;
    assert_int_equal(conninfo_init(&conninfo,
                                   "host=/run/x target_session_attrs=any connect_timeout=9 "
                                   "options='-c statement_timeout=5'",
                                   &defaults),
                     0);
    assert_setting(&conninfo, "host", "/run/x");
    assert_setting(&conninfo, "target_session_attrs", "any");
    assert_setting(&conninfo, "connect_timeout", "9");
    /* The server takes the last one. */
    assert_setting(&conninfo, "options", "-c statement_timeout=700 -c statement_timeout=5");
}

static void what_is_no_address_is_refused(void **state) {
    static const char *const wrong[] = {"postgresql://[::1/x", "postgresql://a/x?color=red",
                                        "nonsense", "color=red"};
    const char *const replicas[] = {"postgresql://a/x", "color=red"};
    Db *db = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(db_postgres_new(&(DbPostgresOptions){.url = wrong[i]}, &db), -EINVAL);
    }
    assert_int_equal(
        db_postgres_new(
            &(DbPostgresOptions){.url = replicas[0], .replica_urls = replicas, .n_replicas = 2},
            &db),
        -EINVAL);
    assert_int_equal(
        db_postgres_new(
            &(DbPostgresOptions){.url = replicas[0], .pool_size = DB_POSTGRES_POOL_MAX + 1}, &db),
        -EINVAL);
}

static int never(DbTx *tx, void *userdata) {
    (void)tx;
    *(bool *)userdata = true;
    return 0;
}

static void nobody_there_is_said(void **state) {
    _cleanup_(db_freep) Db *db = NULL;
    bool ran = false;

    (void)state;
    /* No socket can be in a file. */
    assert_int_equal(
        db_postgres_new(&(DbPostgresOptions){.url = "host=/dev/null dbname=x user=x"}, &db), 0);
    assert_int_equal(db_write(db, never, &ran, NULL), -ENOTCONN);
    assert_int_equal(db_read(db, NULL, never, &ran), -ENOTCONN);
    assert_false(ran);
}

static void positions_are_words(void **state) {
    static const char *const wrong[] = {"primary",
                                        "1-",
                                        "1-0",
                                        "-0/1",
                                        "1-0/",
                                        "1/0-1",
                                        "1-0/1 ",
                                        "1-0/123456789",
                                        "1-0/abcdef1",
                                        "123456789-0/1",
                                        "FFFFFFFF/FFFFFFFF"};
    const WalPosition place = {.timeline = UINT32_MAX, .lsn = UINT64_MAX - 1};
    WalPosition back = {0};
    DbToken token, checked;

    (void)state;
    wal_position_format(place, &token);
    assert_string_equal(token.text, "FFFFFFFF-FFFFFFFF/FFFFFFFE");
    assert_int_equal(db_token_parse(str_from(token.text), &checked), 0);
    assert_int_equal(wal_position_parse(&checked, &back), 0);
    assert_true(back.timeline == place.timeline && back.lsn == place.lsn);
    wal_position_format((WalPosition){.timeline = 1, .lsn = 0x16B3748}, &token);
    assert_string_equal(token.text, "00000001-00000000/016B3748");
    assert_int_equal(wal_position_parse(&(DbToken){""}, &back), 0);
    assert_true(back.timeline == 0 && back.lsn == 0);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        memset(&token, 0, sizeof(token));
        memcpy(token.text, wrong[i], strlen(wrong[i]));
        assert_int_equal(wal_position_parse(&token, &back), -EINVAL);
    }
    assert_int_equal(wal_position_parse(&DB_TOKEN_PRIMARY, &back), -EINVAL);
}

/* A replica that went on beyond the fork, on the branch that ended, has not the new one's writes.
 */
static void an_old_time_line_covers_nothing_of_a_new_one(void **state) {
    const WalPosition written = {.timeline = 2, .lsn = 100};

    (void)state;
    assert_true(wal_position_covers((WalPosition){2, 100}, written));
    assert_true(wal_position_covers((WalPosition){3, 101}, written));
    assert_false(wal_position_covers((WalPosition){2, 99}, written));
    assert_false(wal_position_covers((WalPosition){1, 500}, written));
    assert_true(wal_position_covers((WalPosition){1, 0}, (WalPosition){0}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_completed),
        cmocka_unit_test(what_an_address_says_wins),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(nobody_there_is_said),
        cmocka_unit_test(positions_are_words),
        cmocka_unit_test(an_old_time_line_covers_nothing_of_a_new_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
