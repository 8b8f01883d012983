/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What only the PostgreSQL adapter does, on a server that this may spoil: argv[1] is a superuser's
 * address of it.
 */

#include "adapters/db/postgres/postgres.h"
#include "base/clock.h"
#include "base/test.h"

#include <errno.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>

static const char *url;
static PGconn *admin;

enum {
    ADD,
    COUNT,
    SLEEP,
    ALL,
};
static const DbStatement statements[] = {
    [ADD] = {"add", "INSERT INTO postgres_note (id) VALUES (?)", 1, 0},
    [COUNT] = {"count", "SELECT count(*) FROM postgres_note", 0, 1},
    [SLEEP] = {"sleep", "SELECT 1 FROM (SELECT pg_sleep(60)) AS s", 0, 1},
    [ALL] = {"all", "SELECT * FROM postgres_note", 0, 1},
};

static void run_admin(const char *sql) {
    PGresult *result = PQexec(admin, sql);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fprintf(stderr, "%s: %s", sql, PQerrorMessage(admin));
    }
    PQclear(result);
    assert_true(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK);
}

/* Ends the server's side of all connections of the adapter. */
static void cut_all(void) {
    run_admin("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
              " WHERE application_name = 'imagesync'");
}

static int open_with(DbPostgresOptions options, void **state) {
    Db *db = NULL;

    options.url = options.url ? options.url : url;
    if (db_postgres_new(&options, &db) != 0) {
        return -1;
    }
    run_admin("DROP TABLE IF EXISTS postgres_note");
    run_admin("CREATE TABLE postgres_note (id BIGINT PRIMARY KEY)");
    *state = db;
    return 0;
}

static int open_db(void **state) {
    return open_with((DbPostgresOptions){0}, state);
}

static int open_impatient(void **state) {
    return open_with(
        (DbPostgresOptions){.pool_size = 2, .pool_wait_ms = 150, .statement_timeout_ms = 300},
        state);
}

static int close_db(void **state) {
    *state = db_free(*state);
    return 0;
}

static int add(DbTx *tx, int64_t id) {
    return db_exec(tx, &statements[ADD], &DB_INT(id), NULL);
}

static int add_userdata(DbTx *tx, void *userdata) {
    return add(tx, *(int64_t *)userdata);
}

static int64_t count(Db *db);

static int count_into(DbTx *tx, void *userdata) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const DbValue *row = NULL;
    int r = db_query_one(tx, &statements[COUNT], NULL, arena, &row);

    if (r == 0) {
        *(int64_t *)userdata = row[0].integer;
    }
    return r;
}

static int64_t count(Db *db) {
    int64_t n = -1;

    assert_int_equal(db_read(db, NULL, count_into, &n), 0);
    return n;
}

/* Adds 1 and 2, and in the first run loses the connection in between. */
static int add_and_be_cut(DbTx *tx, void *userdata) {
    unsigned *runs = userdata;
    int r = add(tx, 1);

    if (r == 0 && (*runs)++ == 0) {
        cut_all();
    }
    return r == 0 ? add(tx, 2) : r;
}

static void a_lost_connection_before_commit_costs_another_run(void **state) {
    unsigned runs = 0;
    DbPostgresStats stats;

    assert_int_equal(db_write(*state, add_and_be_cut, &runs, NULL), 0);
    assert_int_equal(runs, 2);
    assert_int_equal(count(*state), 2);
    db_postgres_stats(*state, &stats);
    assert_int_equal(stats.n_lost, 1);
}

static int read_and_be_cut(DbTx *tx, void *userdata) {
    unsigned *runs = userdata;
    int64_t n;
    int r = count_into(tx, &n);

    if (r == 0 && (*runs)++ == 0) {
        cut_all();
    }
    return r == 0 ? count_into(tx, &n) : r;
}

static void the_same_when_reading(void **state) {
    unsigned runs = 0;

    assert_int_equal(db_read(*state, NULL, read_and_be_cut, &runs), 0);
    assert_int_equal(runs, 2);
}

static void connections_cut_while_idle_are_not_noticed(void **state) {
    DbPostgresStats stats;

    for (int64_t id = 0; id < 5; id++) {
        assert_int_equal(db_write(*state, add_userdata, &id, NULL), 0);
        cut_all();
        assert_int_equal(count(*state), id + 1);
        cut_all();
    }
    db_postgres_stats(*state, &stats);
    assert_int_equal(stats.n_lost, 0);
}

/* The connection is cut by COMMIT itself: a trigger that runs in it. */
static void a_connection_lost_in_commit_is_not_tried_again(void **state) {
    int64_t id = 1;

    run_admin("CREATE OR REPLACE FUNCTION postgres_cut() RETURNS trigger LANGUAGE plpgsql AS"
              " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60);"
              " RETURN NULL; END $$");
    run_admin("CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON postgres_note"
              " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION postgres_cut()");
    assert_int_equal(db_write(*state, add_userdata, &id, NULL), -EREMOTEIO);
    assert_int_equal(count(*state), 0);
}

/*
 * The server gives up waiting for a standby when its statement time-out is over, keeps the write
 * and says COMMIT, with a warning. No standby has it, so it is not done.
 */
static void a_commit_that_no_standby_has_is_not_done(void **state) {
    int64_t id = 1;
    int r = 0;

    run_admin("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    run_admin("SELECT pg_reload_conf()");
    for (; id < 1000 && r == 0; id++) { /* until the server has read it */
        r = db_write(*state, add_userdata, &id, NULL);
    }
    assert_int_equal(r, -EREMOTEIO);
    run_admin("ALTER SYSTEM RESET synchronous_standby_names");
    run_admin("SELECT pg_reload_conf()");
    for (; id < 1000 && r != 0; id++) {
        r = db_write(*state, add_userdata, &id, NULL);
        assert_true(r == 0 || r == -EREMOTEIO);
    }
    assert_int_equal(r, 0);
}

static int sleep_long(DbTx *tx, void *userdata) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const DbValue *row;

    (void)userdata;
    return db_query_one(tx, &statements[SLEEP], NULL, arena, &row);
}

static void a_statement_has_its_time_and_no_more(void **state) {
    uint64_t started = clock_mono_ms();

    assert_int_equal(db_read(*state, NULL, sleep_long, NULL), -EBUSY);
    assert_in_range(clock_mono_ms() - started, 300, 5000);
    assert_int_equal(count(*state), 0);
}

typedef struct Holder {
    Db *db;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned n_holding;
    bool let_go;
} Holder;

static int hold(DbTx *tx, void *userdata) {
    Holder *holder = userdata;
    int64_t n;
    int r = count_into(tx, &n);

    pthread_mutex_lock(&holder->lock);
    holder->n_holding++;
    pthread_cond_broadcast(&holder->changed);
    while (!holder->let_go) {
        pthread_cond_wait(&holder->changed, &holder->lock);
    }
    pthread_mutex_unlock(&holder->lock);
    return r;
}

static void *run_hold(void *userdata) {
    Holder *holder = userdata;

    return (void *)(intptr_t)db_read(holder->db, NULL, hold, holder);
}

static void a_full_pool_is_waited_for_but_not_for_ever(void **state) {
    Holder holder = {*state, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false};
    pthread_t threads[2];
    int64_t n, id = 1;
    uint64_t started;

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_hold, &holder), 0);
    }
    pthread_mutex_lock(&holder.lock);
    while (holder.n_holding < 2) {
        pthread_cond_wait(&holder.changed, &holder.lock);
    }
    pthread_mutex_unlock(&holder.lock);
    started = clock_mono_ms();
    assert_int_equal(db_write(*state, add_userdata, &id, NULL), -EBUSY);
    assert_int_equal(db_read(*state, NULL, count_into, &n), -EBUSY);
    assert_in_range(clock_mono_ms() - started, 300, 3000);
    pthread_mutex_lock(&holder.lock);
    holder.let_go = true;
    pthread_cond_broadcast(&holder.changed);
    pthread_mutex_unlock(&holder.lock);
    for (size_t i = 0; i < 2; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_int_equal((intptr_t)result, 0);
    }
    assert_int_equal(db_write(*state, add_userdata, &id, NULL), 0);
}

static int read_all(DbTx *tx, void *userdata) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    DbRows rows;

    (void)userdata;
    return db_query(tx, &statements[ALL], NULL, 10, arena, &rows);
}

/* What is prepared gives the old type; "cached plan must not change result type". */
static void a_table_may_change_beneath_a_prepared_statement(void **state) {
    assert_int_equal(db_read(*state, NULL, read_all, NULL), 0);
    run_admin("ALTER TABLE postgres_note ALTER COLUMN id TYPE INTEGER");
    assert_int_equal(db_read(*state, NULL, read_all, NULL), 0);
}

/* As on an engine that has no such log: no token, and reading goes to the primary. */
static void without_positions_there_are_no_tokens(void **state) {
    char address[512];
    const char *replica = address;
    DbToken token = {"x"};
    DbPostgresStats stats;
    Db *db = NULL;
    int64_t id = 1, n = 0;

    (void)state;
    run_admin("DROP ROLE IF EXISTS positionless");
    run_admin("CREATE ROLE positionless LOGIN");
    run_admin("GRANT ALL ON postgres_note TO positionless");
    run_admin("REVOKE EXECUTE ON FUNCTION pg_current_wal_lsn, pg_last_wal_replay_lsn FROM PUBLIC");
    snprintf(address, sizeof(address), "host=127.0.0.1 port=%s dbname=postgres user=positionless",
             PQport(admin));
    assert_int_equal(
        db_postgres_new(
            &(DbPostgresOptions){.url = address, .replica_urls = &replica, .n_replicas = 1}, &db),
        0);
    for (; id <= 3; id++) {
        assert_int_equal(db_write(db, add_userdata, &id, &token), 0);
        assert_string_equal(token.text, "");
        assert_int_equal(db_read(db, &token, count_into, &n), 0);
        assert_int_equal(n, id);
    }
    db_postgres_stats(db, &stats);
    assert_int_equal(stats.n_replica, 0);
    assert_int_equal(stats.n_primary, 6);
    db_free(db);
    run_admin("GRANT EXECUTE ON FUNCTION pg_current_wal_lsn, pg_last_wal_replay_lsn TO PUBLIC");
    run_admin("DROP OWNED BY positionless");
    run_admin("DROP ROLE positionless");
}

static int connect_admin(void **state) {
    (void)state;
    admin = PQconnectdb(url);
    return PQstatus(admin) == CONNECTION_OK ? 0 : -1;
}

static int disconnect_admin(void **state) {
    (void)state;
    PQfinish(admin);
    return 0;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lost_connection_before_commit_costs_another_run, open_db,
                                        close_db),
        cmocka_unit_test_setup_teardown(the_same_when_reading, open_db, close_db),
        cmocka_unit_test_setup_teardown(connections_cut_while_idle_are_not_noticed, open_db,
                                        close_db),
        cmocka_unit_test_setup_teardown(a_connection_lost_in_commit_is_not_tried_again, open_db,
                                        close_db),
        cmocka_unit_test_setup_teardown(a_commit_that_no_standby_has_is_not_done, open_impatient,
                                        close_db),
        cmocka_unit_test_setup_teardown(a_statement_has_its_time_and_no_more, open_impatient,
                                        close_db),
        cmocka_unit_test_setup_teardown(a_full_pool_is_waited_for_but_not_for_ever, open_impatient,
                                        close_db),
        cmocka_unit_test_setup_teardown(a_table_may_change_beneath_a_prepared_statement, open_db,
                                        close_db),
        cmocka_unit_test_setup_teardown(without_positions_there_are_no_tokens, open_db, close_db),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: %s URL\n", argv[0]);
        return 2;
    }
    url = argv[1];
    return cmocka_run_group_tests(tests, connect_admin, disconnect_admin);
}
