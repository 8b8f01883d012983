/* SPDX-License-Identifier: Apache-2.0 */

/* What is SQLite's own; the contract of the port is tested in tests/contract. */

#include "adapters/db/sqlite/sqlite.h"

#include "base/fd.h"
#include "base/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUEUED 6

static const DbStatement add = {"add", "INSERT INTO thing (id, bytes) VALUES (?, ?)", 2, 0};
static const DbStatement count = {"count", "SELECT count(*) FROM thing", 0, 1};

typedef struct Fixture {
    char folder[32], path[64];
    Arena *arena;
    Db *db;
} Fixture;

static int script(DbTx *tx, void *userdata) {
    return db_script(tx, userdata);
}

#define run_sql(db, sql) db_write((db), script, (char[]){sql}, NULL)

static Db *open_file(Fixture *fixture, DbSqliteOptions options) {
    const char *error = "";
    Db *db = NULL;

    options.path = fixture->path;
    assert_int_equal(db_sqlite_open(&options, fixture->arena, &db, &error), 0);
    return db;
}

static int set_up(void **state) {
    Fixture *fixture = calloc(1, sizeof(*fixture));

    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/sqlite-test-XXXXXX");
    if (!mkdtemp(fixture->folder)) {
        return -1;
    }
    snprintf(fixture->path, sizeof(fixture->path), "%s/it.db", fixture->folder);
    fixture->arena = arena_new();
    fixture->db = open_file(fixture, (DbSqliteOptions){.wait_timeout_ms = 10000});
    *state = fixture;
    return run_sql(fixture->db, "CREATE TABLE thing (id BIGINT PRIMARY KEY, bytes BYTEA)");
}

static int tear_down(void **state) {
    static const char *const endings[] = {"", "-wal", "-shm"};
    Fixture *fixture = *state;

    db_free(fixture->db);
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        unlink(arena_printf(fixture->arena, "%s%s", fixture->path, endings[i]));
    }
    rmdir(fixture->folder);
    arena_free(fixture->arena);
    free(fixture);
    return 0;
}

static int count_work(DbTx *tx, void *userdata) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const DbValue *row = NULL;
    int r = db_query_one(tx, &count, NULL, arena, &row);

    if (r == 0) {
        *(int64_t *)userdata = row[0].integer;
    }
    return r;
}

static int64_t count_things(Db *db) {
    int64_t n = -1;

    assert_int_equal(db_read(db, NULL, count_work, &n), 0);
    return n;
}

/* A thing with so many bytes. */
typedef struct Thing {
    Db *db;
    int64_t id;
    size_t len;
    int result; /* what the work returns when it was added */
    void (*before)(void *userdata);
    void *userdata;
    unsigned runs;
    int r;
} Thing;

static int add_thing(DbTx *tx, void *userdata) {
    static const char bytes[1 << 16] = {1};
    Thing *thing = userdata;
    int r = 0;

    thing->runs++;
    if (thing->before) {
        thing->before(thing->userdata);
    }
    for (size_t done = 0, part = 0; done <= thing->len && r == 0; part++, done += sizeof(bytes)) {
        DbValue params[] = {DB_INT(thing->id + (int64_t)part * 1000),
                            DB_BLOB(((Str){bytes, MIN(thing->len - done, sizeof(bytes))}))};
        r = db_exec(tx, &add, params, NULL);
    }
    return r == 0 ? thing->result : r;
}

static void *add_in_thread(void *userdata) {
    Thing *thing = userdata;

    thing->r = db_write(thing->db, add_thing, thing, NULL);
    return NULL;
}

static void the_file_is_for_its_owner_alone(void **state) {
    static const char *const endings[] = {"", "-wal", "-shm"};
    Fixture *fixture = *state;
    struct stat status;

    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        const char *path = arena_printf(fixture->arena, "%s%s", fixture->path, endings[i]);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
    }
    fixture->db = db_free(fixture->db);
    /* One file when nobody uses it. */
    assert_int_equal(access(fixture->path, F_OK), 0);
    assert_int_equal(access(arena_printf(fixture->arena, "%s-wal", fixture->path), F_OK), -1);
}

static void assert_refused(Fixture *fixture, DbSqliteOptions options, int r, const char *says) {
    const char *error = "";
    Db *db = NULL;

    assert_int_equal(db_sqlite_open(&options, fixture->arena, &db, &error), r);
    assert_null(db);
    assert_non_null(strstr(error, options.path));
    assert_non_null(strstr(error, says));
}

static void what_cannot_be_opened_says_why(void **state) {
    Fixture *fixture = *state;
    const char *there = fixture->path, *gone;

    gone = arena_printf(fixture->arena, "%s/none/it.db", fixture->folder);
    assert_refused(fixture, (DbSqliteOptions){.path = gone}, -ENOENT, "not there");
    gone = arena_printf(fixture->arena, "%s/other.db", fixture->folder);
    assert_refused(fixture, (DbSqliteOptions){.path = gone, .must_exist = true}, -ENOENT,
                   "not there");
    assert_int_equal(access(gone, F_OK), -1);
    assert_refused(fixture, (DbSqliteOptions){.path = fixture->folder}, -EIO, "cannot open");
    fixture->db = db_free(fixture->db);
    for (int damaged = 0; damaged < 2; damaged++) {
        char junk[8192];
        int fd = open(there, O_WRONLY | (damaged ? 0 : O_TRUNC));
        memset(junk, 'x', sizeof(junk));
        assert_true(pwrite(fd, junk, sizeof(junk), 0) == sizeof(junk));
        close(fd);
        assert_refused(fixture, (DbSqliteOptions){.path = there}, -EBADMSG, "damaged");
    }
}

static void damage_is_found_when_it_is_read(void **state) {
    Fixture *fixture = *state;
    Thing thing = {.id = 1, .len = 1 << 20};
    char junk[4096];
    int64_t n;
    int fd;

    assert_int_equal(db_write(fixture->db, add_thing, &thing, NULL), 0);
    fixture->db = db_free(fixture->db);
    memset(junk, 0xff, sizeof(junk));
    fd = open(fixture->path, O_WRONLY);
    for (off_t page = 1; page < 4; page++) {
        assert_true(pwrite(fd, junk, sizeof(junk), page * 4096) == sizeof(junk));
    }
    close(fd);
    fixture->db = open_file(fixture, (DbSqliteOptions){0});
    assert_int_equal(db_read(fixture->db, NULL, count_work, &n), -EBADMSG);
    assert_int_equal(db_read(fixture->db, NULL, count_work, &n), -EBADMSG);
}

static void a_full_disk_is_survived(void **state) {
    Fixture *fixture = *state;
    Thing small = {.id = 1, .len = 10}, large = {.id = 2, .len = 1 << 20};

    assert_int_equal(db_write(fixture->db, add_thing, &small, NULL), 0);
    assert_int_equal(run_sql(fixture->db, "PRAGMA max_page_count = 20"), 0);
    assert_int_equal(db_write(fixture->db, add_thing, &large, NULL), -ENOSPC);
    assert_int_equal(count_things(fixture->db), 1);
    assert_int_equal(run_sql(fixture->db, "PRAGMA max_page_count = 100000"), 0);
    assert_int_equal(db_write(fixture->db, add_thing, &large, NULL), 0);
    assert_true(count_things(fixture->db) > 2);
}

static void a_failing_disk_is_survived(void **state) {
    Fixture *fixture = *state;
    Thing small = {.id = 1, .len = 10}, large = {.id = 2, .len = 4 << 20};
    struct rlimit before, tight;
    int r;

    assert_int_equal(db_write(fixture->db, add_thing, &small, NULL), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    tight = (struct rlimit){1 << 20, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &tight);
    r = db_write(fixture->db, add_thing, &large, NULL);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_true(r == -EIO || r == -EREMOTEIO);
    assert_int_equal(count_things(fixture->db), 1);
    assert_int_equal(db_write(fixture->db, add_thing, &large, NULL), 0);
    fixture->db = db_free(fixture->db);
    fixture->db = open_file(fixture, (DbSqliteOptions){0});
    assert_true(count_things(fixture->db) > 60);
}

static void another_process_that_writes_is_waited_for(void **state) {
    Fixture *fixture = *state;
    Thing thing = {.id = 1};
    sqlite3 *other = NULL;

    fixture->db = db_free(fixture->db);
    fixture->db = open_file(fixture, (DbSqliteOptions){.wait_timeout_ms = 50});
    assert_int_equal(sqlite3_open(fixture->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(db_write(fixture->db, add_thing, &thing, NULL), -EBUSY);
    assert_int_equal(thing.runs, 0);
    assert_int_equal(count_things(fixture->db), 0);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(db_write(fixture->db, add_thing, &thing, NULL), 0);
    sqlite3_close(other);
}

/* Two at a time may read. */
static int read_within(DbTx *tx, void *userdata) {
    Thing *depth = userdata;

    (void)tx;
    return --depth->len == 0 ? 0 : db_read(depth->db, NULL, read_within, depth);
}

static void readers_are_bounded(void **state) {
    Fixture *fixture = *state;
    Db *db = open_file(fixture, (DbSqliteOptions){.readers_max = 2, .wait_timeout_ms = 20});

    assert_int_equal(db_read(db, NULL, read_within, &(Thing){.db = db, .len = 2}), 0);
    assert_int_equal(db_read(db, NULL, read_within, &(Thing){.db = db, .len = 3}), -EBUSY);
    assert_int_equal(db_read(db, NULL, read_within, &(Thing){.db = db, .len = 2}), 0);
    db_free(db);
}

static void write_elsewhere(void *userdata) {
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, add_in_thread, userdata), 0);
    pthread_join(thread, NULL);
}

static void a_turn_that_does_not_come_is_given_up(void **state) {
    Fixture *fixture = *state;
    Db *db = open_file(fixture, (DbSqliteOptions){.wait_timeout_ms = 20});
    Thing late = {.db = db, .id = 2};
    Thing first = {.id = 1, .before = write_elsewhere, .userdata = &late};

    assert_int_equal(db_write(db, add_thing, &first, NULL), 0);
    assert_int_equal(late.r, -EBUSY);
    assert_int_equal(late.runs, 0);
    assert_int_equal(db_write(db, add_thing, &late, NULL), 0);
    assert_int_equal(count_things(db), 2);
    db_free(db);
}

static bool file_has(const char *path, const char *text) {
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_(buf_done) Buf bytes = BUF_INIT;

    assert_int_equal(fd_read_to_end(fd, 1 << 24, &bytes), 0);
    return memmem(bytes.data, bytes.len, text, strlen(text)) != NULL;
}

static void what_was_deleted_is_not_left_in_the_file(void **state) {
    Fixture *fixture = *state;

    assert_int_equal(
        run_sql(fixture->db, "INSERT INTO thing VALUES (1, 'a secret of somebody'), (2, 'kept')"),
        0);
    fixture->db = db_free(fixture->db);
    assert_true(file_has(fixture->path, "a secret of somebody"));
    fixture->db = open_file(fixture, (DbSqliteOptions){0});
    assert_int_equal(run_sql(fixture->db, "DELETE FROM thing WHERE id = 1"), 0);
    fixture->db = db_free(fixture->db);
    assert_true(file_has(fixture->path, "kept"));
    assert_false(file_has(fixture->path, "a secret of somebody"));
}

/* Starts others while it has the turn, and goes on when all of them must be waiting for it. */
typedef struct Crowd {
    Thing things[QUEUED];
    pthread_t threads[QUEUED];
    unsigned n_started;
} Crowd;

/* Whether so many threads of this process wait for something. */
static bool are_asleep(unsigned wanted) {
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *entry;
    unsigned n = 0;

    while (tasks && (entry = readdir(tasks))) {
        char path[300], text[512];
        FILE *file;
        snprintf(path, sizeof(path), "/proc/self/task/%s/stat", entry->d_name);
        file = fopen(path, "r");
        if (file) {
            const char *end = fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
            n += end && end[2] == 'S';
            fclose(file);
        }
    }
    if (tasks) {
        closedir(tasks);
    }
    return n >= wanted;
}

static void start_crowd(void *userdata) {
    Crowd *crowd = userdata;

    if (crowd->n_started > 0) {
        return;
    }
    for (; crowd->n_started < QUEUED; crowd->n_started++) {
        pthread_create(&crowd->threads[crowd->n_started], NULL, add_in_thread,
                       &crowd->things[crowd->n_started]);
    }
    for (unsigned i = 0; i < 10000 && !are_asleep(QUEUED); i++) {
        usleep(1000);
    }
}

static void works_in_one_commit_do_not_harm_each_other(void **state) {
    Fixture *fixture = *state;
    Crowd crowd = {0};
    Thing first = {.id = 1, .before = start_crowd, .userdata = &crowd};

    for (size_t i = 0; i < QUEUED; i++) {
        crowd.things[i] = (Thing){.db = fixture->db, .id = (int64_t)i + 2};
    }
    crowd.things[1].id = 1; /* taken */
    crowd.things[3].result = 42;
    crowd.things[4].result = -ECONNRESET;
    assert_int_equal(db_write(fixture->db, add_thing, &first, NULL), 0);
    for (size_t i = 0; i < QUEUED; i++) {
        pthread_join(crowd.threads[i], NULL);
        assert_int_equal(crowd.things[i].r, i == 1   ? DB_E_EXISTS
                                            : i == 3 ? 42
                                            : i == 4 ? -ECONNRESET
                                                     : 0);
        assert_int_equal(crowd.things[i].runs, 1);
    }
    assert_int_equal(count_things(fixture->db), 1 + QUEUED - 3);
}

static void works_that_lost_their_transaction_run_again(void **state) {
    Fixture *fixture = *state;
    Crowd crowd = {0};
    Thing first = {.id = 1, .before = start_crowd, .userdata = &crowd};

    for (size_t i = 0; i < QUEUED; i++) {
        crowd.things[i] = (Thing){.db = fixture->db, .id = (int64_t)i + 2, .len = 1};
    }
    assert_int_equal(run_sql(fixture->db, "PRAGMA max_page_count = 30"), 0);
    crowd.things[QUEUED - 1].len = 1 << 20; /* fills the disk */
    assert_int_equal(db_write(fixture->db, add_thing, &first, NULL), 0);
    for (size_t i = 0; i < QUEUED; i++) {
        pthread_join(crowd.threads[i], NULL);
        assert_int_equal(crowd.things[i].r, i == QUEUED - 1 ? -ENOSPC : 0);
    }
    assert_int_equal(count_things(fixture->db), QUEUED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_file_is_for_its_owner_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_opened_says_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_found_when_it_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_is_survived, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failing_disk_is_survived, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_process_that_writes_is_waited_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(readers_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_deleted_is_not_left_in_the_file, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_turn_that_does_not_come_is_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(works_in_one_commit_do_not_harm_each_other, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(works_that_lost_their_transaction_run_again, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
