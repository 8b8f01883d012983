/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A library of many photos, made through the stores, and what it takes to check and to mend it:
 *
 *   rebuild_bench FILE PHOTOS      a new SQLite database
 *
 * Prints the seconds of a check, and of a rebuild of tables that are right, and of ones that are
 * empty; with the longest that somebody who writes had to wait meanwhile, and the most memory so
 * far.
 */

#include "adapters/db/migrations.h"
#include "adapters/db/sqlite/sqlite.h"
#include "base/clock.h"
#include "base/crypto/random.h"
#include "services/sync/check/library_check.h"
#include "services/sync/objects.h"
#include "services/sync/rebuild.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>

#define AT_ONCE 100

typedef struct Bench {
    Db *db;
    UserKey key;
    uint64_t n, done;
} Bench;

static json_t *state_of(uint64_t i) {
    char name[40], caption[80], captured[24];

    snprintf(name, sizeof(name), "IMG_%07llu.jpg", (unsigned long long)i);
    snprintf(caption, sizeof(caption), "%s %s", i % 2 ? "Strand" : "Berge",
             i % 1000 == 0 ? "Sonnenaufgang" : "");
    snprintf(captured, sizeof(captured), "20%02llu-%02llu-%02lluT12:%02llu:%02llu",
             (unsigned long long)(i * 25 / 1000000 % 25), (unsigned long long)(i / 7 % 12 + 1),
             (unsigned long long)(i / 3 % 28 + 1), (unsigned long long)(i / 60 % 60),
             (unsigned long long)(i % 60));
    return json_pack("{s:s,s:s,s:I,s:s,s:s,s:I,s:b,s:[s],s:[],s:s,s:s,s:{s:s,s:s},s:i,s:i,"
                     "s:{s:{s:s,s:i,s:i,s:s,s:i},s:{s:s,s:i,s:i,s:s,s:i}}}",
                     "name", name, "type", "image/jpeg", "size", (json_int_t)3500000, "blob",
                     "0190163d-8694-739b-aea5-966c26f8ad90", "status", "ready", "added",
                     (json_int_t)1790000000000, "favourite", 0, "tags", i % 2 ? "Meer" : "Schnee",
                     "albums", "caption", caption, "captured", captured, "camera", "make", "Canon",
                     "model", "EOS R6", "width", 6000, "height", 4000, "renditions", "mezzanine",
                     "blob", "0190163d-8694-739b-aea5-966c26f8ad91", "width", 2048, "height", 1365,
                     "type", "image/jpeg", "size", 400000, "thumbnail", "blob",
                     "0190163d-8694-739b-aea5-966c26f8ad92", "width", 512, "height", 341, "type",
                     "image/jpeg", "size", 30000);
}

static int add(DbTx *tx, void *userdata) {
    Bench *bench = userdata;
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Library library = {.key = &bench->key, .now_us = clock_unix_us(), .arena = arena};
    int r = 0;

    for (uint64_t i = bench->done; r == 0 && i < bench->done + AT_ONCE && i < bench->n; i++) {
        _cleanup_(json_decrefp) json_t *state = state_of(i);
        _cleanup_(object_done) Object photo = {0};
        Uuid id = uuid_new();
        r = object_put(tx, &library, OBJECT_PHOTO, &id, 0, state, &photo);
    }
    return r;
}

typedef struct Writer {
    Bench *bench;
    atomic_bool ending;
    uint64_t longest_us;
} Writer;

static int write_album(DbTx *tx, void *userdata) {
    Bench *bench = userdata;
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(json_decrefp) json_t *state = json_pack("{s:s}", "name", "Meanwhile");
    _cleanup_(object_done) Object album = {0};
    Library library = {.key = &bench->key, .now_us = clock_unix_us(), .arena = arena};
    Uuid id = uuid_new();

    return object_put(tx, &library, OBJECT_ALBUM, &id, 0, state, &album);
}

static void *keep_writing(void *userdata) {
    Writer *writer = userdata;

    while (!writer->ending) {
        uint64_t start = clock_mono_us();
        if (db_write(writer->bench->db, write_album, writer->bench, NULL) != 0) {
            fprintf(stderr, "an album cannot be added\n");
            exit(1);
        }
        writer->longest_us = MAX(writer->longest_us, clock_mono_us() - start);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return NULL;
}

static void found_wrong(const char *text, void *userdata) {
    (void)userdata;
    fprintf(stderr, "the library is not right: %s\n", text);
    exit(1);
}

static void found_unreadable(const Event *object, void *userdata) {
    (void)object;
    found_wrong("an object does not open", userdata);
}

typedef int Mending(Bench *bench);

static int check(Bench *bench) {
    return library_check(bench->db, &bench->key, found_wrong, NULL);
}

static int rebuild(Bench *bench) {
    RebuildResult result;

    return rebuild_library(bench->db, &bench->key, found_unreadable, NULL, &result);
}

static void measure_mending(Bench *bench, const char *what, Mending *mending) {
    Writer writer = {.bench = bench};
    uint64_t start = clock_mono_us();
    struct rusage usage;
    pthread_t thread;

    if (pthread_create(&thread, NULL, keep_writing, &writer) != 0 || mending(bench) < 0) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
    start = clock_mono_us() - start;
    writer.ending = true;
    pthread_join(thread, NULL);
    getrusage(RUSAGE_SELF, &usage);
    printf("| %s | %.1f | %.0f | %.0f |\n", what, (double)start / 1e6,
           (double)writer.longest_us / 1e3, (double)usage.ru_maxrss / 1024);
}

static int empty(DbTx *tx, void *userdata) {
    (void)userdata;
    return db_script(tx, "DELETE FROM sync_photo; DELETE FROM sync_term; DELETE FROM sync_object");
}

static int empty_tables(Bench *bench) {
    return db_write(bench->db, empty, NULL, NULL);
}

int main(int argc, char **argv) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *error = "";
    Bench bench = {0};
    uint64_t start;
    size_t n;

    if (argc != 3 || str_to_u64(str_from(argv[2]), &bench.n) < 0 || bench.n == 0 ||
        db_sqlite_open(&(DbSqliteOptions){.path = argv[1], .readers_max = 4}, arena, &bench.db,
                       &error) < 0 ||
        migrations_up(bench.db, migrations_embedded, 0, arena, &n, &error) != 0) {
        fprintf(stderr, "usage: rebuild_bench FILE PHOTOS\n%s\n", error);
        return 2;
    }
    random_bytes(bench.key.bytes, sizeof(bench.key.bytes));
    bench.key.user_id = uuid_new();
    start = clock_mono_us();
    for (; bench.done < bench.n; bench.done += AT_ONCE) {
        if (db_write(bench.db, add, &bench, NULL) != 0) {
            fprintf(stderr, "photos cannot be added\n");
            return 1;
        }
    }
    printf("%llu photos made in %.0f s\n\n| | s | longest wait of a writer, ms | memory, MiB |\n| "
           "--- | --- | --- | --- |\n",
           (unsigned long long)bench.n, (double)(clock_mono_us() - start) / 1e6);
    measure_mending(&bench, "check", check);
    measure_mending(&bench, "rebuild, all is right", rebuild);
    measure_mending(&bench, "(emptying, in one transaction)", empty_tables);
    measure_mending(&bench, "rebuild, nothing is there", rebuild);
    measure_mending(&bench, "check", check);
    db_free(bench.db);
    return 0;
}
