/* SPDX-License-Identifier: Apache-2.0 */

/* The feed of the event log, on the database of the URL in argv[1], with writers in this process
 * and in another. */

#include "base/clock.h"
#include "base/wait.h"
#include "contract/event_testing.h"
#include "core/events/event_feed.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 20000
#define HOUR_US     3600000000LL

#define USERS     16
#define PER_USER  8 /* subscribers */
#define WRITERS   4 /* threads of each of two processes */
#define EACH      4 /* events by each of them to each user */
#define ALL_OF_IT (2 * WRITERS * EACH)

static const char *url;
static Db *db;

/* Who hears of one user's log. */
typedef struct Listener {
    pthread_mutex_t lock;
    pthread_cond_t heard;
    int64_t seq;
    unsigned calls;
} Listener;
#define LISTENER_INIT                                                                              \
    { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 }

static void hear(void *userdata, int64_t seq) {
    Listener *listener = userdata;

    pthread_mutex_lock(&listener->lock);
    listener->seq = seq;
    listener->calls++;
    pthread_cond_signal(&listener->heard);
    pthread_mutex_unlock(&listener->lock);
}

/* Until it has heard of `seq`; whether it did in time. */
static bool hears(Listener *listener, int64_t seq, int64_t ms) {
    uint64_t until_ms = clock_mono_ms() + (uint64_t)ms;
    bool did;

    pthread_mutex_lock(&listener->lock);
    while (listener->seq < seq && wait_until(&listener->heard, &listener->lock, until_ms)) {
    }
    did = listener->seq >= seq;
    pthread_mutex_unlock(&listener->lock);
    return did;
}

/* A minute is as good as never: then only what is announced, or found by the head of who
 * subscribes, is heard. */
static EventFeed *new_feed(uint32_t poll_ms, uint32_t backstop_ms) {
    EventFeedOptions options = {.poll_ms = poll_ms, .backstop_ms = backstop_ms};
    EventFeed *feed = NULL;

    assert_int_equal(event_feed_new(db, &options, &feed), 0);
    return feed;
}

static void what_is_announced_is_heard_at_once(void **state) {
    _cleanup_(event_feed_freep) EventFeed *feed = new_feed(60000, 60000);
    Listener mine = LISTENER_INIT, other_topic = LISTENER_INIT, other = LISTENER_INIT;
    Uuid me = uuid_new(), somebody = uuid_new();
    EventSubscription *one = event_feed_subscribe(feed, &me, TOPIC, 0, hear, &mine);
    EventSubscription *two = event_feed_subscribe(feed, &me, "contract_b", 0, hear, &other_topic);
    EventSubscription *three = event_feed_subscribe(feed, &somebody, TOPIC, 0, hear, &other);

    (void)state;
    event_feed_announce(feed, &me, TOPIC, 3);
    event_feed_announce(feed, &me, TOPIC, 2);
    assert_int_equal(mine.seq, 3);
    assert_int_equal(mine.calls, 1);
    event_feed_announce(feed, &me, TOPIC, 4);
    assert_int_equal(mine.calls, 2);
    assert_int_equal(other_topic.calls + other.calls, 0);
    event_feed_unsubscribe(feed, one);
    event_feed_announce(feed, &me, TOPIC, 5);
    assert_int_equal(mine.calls, 2);
    event_feed_unsubscribe(feed, two);
    event_feed_unsubscribe(feed, three);
}

static void what_was_known_is_not_told_again(void **state) {
    _cleanup_(event_feed_freep) EventFeed *feed = new_feed(5, 10);
    Listener listener = LISTENER_INIT;
    Uuid me = uuid_new();
    int64_t seq = event_testing_add(db, &me, "a");
    EventSubscription *mine = event_feed_subscribe(feed, &me, TOPIC, seq, hear, &listener);

    (void)state;
    seq = event_testing_add(db, &me, "b");
    assert_true(hears(&listener, seq, PATIENCE_MS));
    assert_int_equal(listener.calls, 1);
    event_feed_unsubscribe(feed, mine);
}

/* Between its reading and its subscribing, and long before any window of time. */
static void what_was_committed_before_is_found(void **state) {
    _cleanup_(event_feed_freep) EventFeed *feed = new_feed(60000, 60000);
    Listener listener = LISTENER_INIT;
    Uuid me = uuid_new();
    Change old = {.user_id = me,
                  .object_id = uuid_new(),
                  .version = 1,
                  .state = "a",
                  .at_us = clock_unix_us() - HOUR_US};
    EventSubscription *mine;

    (void)state;
    assert_int_equal(event_testing_change(db, &old), 0);
    mine = event_feed_subscribe(feed, &me, TOPIC, 0, hear, &listener);
    assert_true(hears(&listener, 1, PATIENCE_MS));
    event_feed_unsubscribe(feed, mine);
}

/* By a clock that is behind, which no window of time finds. */
static void the_backstop_finds_what_clocks_hide(void **state) {
    _cleanup_(event_feed_freep) EventFeed *feed = new_feed(5, 100);
    Listener listener = LISTENER_INIT;
    Uuid me = uuid_new();
    EventSubscription *mine = event_feed_subscribe(feed, &me, TOPIC, 0, hear, &listener);

    (void)state;
    for (int64_t i = 1; i <= 3; i++) {
        Change late = {.user_id = me,
                       .object_id = uuid_new(),
                       .version = 1,
                       .state = "a",
                       .at_us = clock_unix_us() - HOUR_US};
        assert_int_equal(event_testing_change(db, &late), 0);
        assert_true(hears(&listener, i, PATIENCE_MS));
    }
    event_feed_unsubscribe(feed, mine);
}

/* One whose clock is an hour ahead does not hide what others do. */
static void a_clock_that_is_ahead_hides_nothing(void **state) {
    _cleanup_(event_feed_freep) EventFeed *feed = new_feed(5, 10 * PATIENCE_MS);
    Listener one = LISTENER_INIT, two = LISTENER_INIT;
    Uuid me = uuid_new(), fast = uuid_new();
    EventSubscription *mine = event_feed_subscribe(feed, &me, TOPIC, 0, hear, &one);
    EventSubscription *theirs = event_feed_subscribe(feed, &fast, TOPIC, 0, hear, &two);
    Change early = {.user_id = fast,
                    .object_id = uuid_new(),
                    .version = 1,
                    .state = "a",
                    .at_us = clock_unix_us() + HOUR_US};

    (void)state;
    assert_int_equal(event_testing_change(db, &early), 0);
    assert_true(hears(&two, 1, PATIENCE_MS));
    for (int64_t i = 1; i <= 3; i++) {
        assert_int_equal(event_testing_add(db, &me, "a"), i);
        assert_true(hears(&one, i, PATIENCE_MS));
    }
    event_feed_unsubscribe(feed, mine);
    event_feed_unsubscribe(feed, theirs);
}

/* Some of the events to all users. */
typedef struct Writing {
    Db *db;
    const Uuid *users;
    EventFeed *feed; /* NULL: in the other process, which does not announce */
} Writing;

static void *write_some(void *userdata) {
    const Writing *writing = userdata;

    for (unsigned i = 0; i < EACH * USERS; i++) {
        const Uuid *user = &writing->users[i % USERS];
        int64_t seq = event_testing_add(writing->db, user, "a");
        if (writing->feed) {
            event_feed_announce(writing->feed, user, TOPIC, seq);
        }
    }
    return NULL;
}

static void write_all(const Writing *writing) {
    pthread_t threads[WRITERS];

    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_some, (void *)writing), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static int run_child(const char *users_text) {
    Uuid users[USERS];
    Writing writing = {.users = users};
    Str rest = str_from(users_text), text;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (unsigned i = 0; i < USERS; i++) {
        if (!str_next_token(&rest, ",", &text) || uuid_parse(text, &users[i]) < 0) {
            return 2;
        }
    }
    if (event_testing_open(url, &writing.db) != 0) {
        return 3;
    }
    write_all(&writing);
    db_free(writing.db);
    return 0;
}

static pid_t start_child(const Uuid *users) {
    _cleanup_(buf_done) Buf text = BUF_INIT;
    pid_t pid;

    for (unsigned i = 0; i < USERS; i++) {
        char one[UUID_TEXT_SIZE];
        uuid_text(&users[i], one);
        buf_addf(&text, "%s%s", i > 0 ? "," : "", one);
    }
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl("/proc/self/exe", "event_feed_contract", url, buf_cstr(&text), (char *)NULL);
        _exit(5);
    }
    return pid;
}

/* What a device's stream does: reads on when it is told to. */
typedef struct Stream {
    Listener listener;
    EventSubscription *subscription;
    int64_t read;
} Stream;

static void read_on(Stream *stream, const Uuid *user) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Event *events;
    size_t n = event_testing_read(db, user, stream->read, arena, &events);

    for (size_t i = 0; i < n; i++) {
        assert_int_equal(events[i].seq, ++stream->read);
    }
}

static void everybody_ends_with_everything(void **state) {
    _cleanup_(event_feed_freep) EventFeed *feed = new_feed(0, 0);
    static Stream streams[USERS][PER_USER];
    Uuid users[USERS];
    Writing writing = {.db = db, .users = users, .feed = feed};
    uint64_t since = clock_mono_ms();
    int status;
    pid_t pid;

    (void)state;
    for (unsigned i = 0; i < USERS; i++) {
        users[i] = uuid_new();
        for (unsigned k = 0; k < PER_USER; k++) {
            streams[i][k] = (Stream){.listener = LISTENER_INIT};
            streams[i][k].subscription =
                event_feed_subscribe(feed, &users[i], TOPIC, 0, hear, &streams[i][k].listener);
        }
    }
    pid = start_child(users);
    write_all(&writing);
    for (unsigned i = 0; i < USERS; i++) {
        for (unsigned k = 0; k < PER_USER; k++) {
            Stream *stream = &streams[i][k];
            while (stream->read < ALL_OF_IT) {
                assert_true(hears(&stream->listener, stream->read + 1, PATIENCE_MS));
                read_on(stream, &users[i]);
            }
            event_feed_unsubscribe(feed, stream->subscription);
        }
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    print_message("%d events in %d ms\n", ALL_OF_IT * USERS, (int)(clock_mono_ms() - since));
}

static void subscribers_come_and_go_meanwhile(void **state) {
    enum {
        ROUNDS = 2000
    };
    _cleanup_(event_feed_freep) EventFeed *feed = new_feed(1, 5);
    Uuid users[USERS];
    Writing writing = {.db = db, .users = users, .feed = feed};
    Listener listener = LISTENER_INIT;
    pthread_t writer;

    (void)state;
    for (unsigned i = 0; i < USERS; i++) {
        users[i] = uuid_new();
    }
    assert_int_equal(pthread_create(&writer, NULL, write_some, &writing), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        Listener *brief = malloc(sizeof(*brief));
        EventSubscription *subscription;
        *brief = (Listener)LISTENER_INIT;
        subscription = event_feed_subscribe(feed, &users[i % USERS], TOPIC, 0, hear, brief);
        event_feed_unsubscribe(feed, subscription);
        free(brief);
    }
    pthread_join(writer, NULL);
    for (unsigned i = 0; i < USERS; i++) {
        EventSubscription *last;
        listener.seq = 0;
        last = event_feed_subscribe(feed, &users[i], TOPIC, EACH - 1, hear, &listener);
        assert_true(hears(&listener, EACH, PATIENCE_MS));
        event_feed_unsubscribe(feed, last);
    }
}

/* As many as may be connected; the heads of all are looked at, and nobody waits for that. */
static void ten_thousand_hear_of_their_own(void **state) {
    enum {
        MANY = 10000
    };
    _cleanup_(event_feed_freep) EventFeed *feed = new_feed(0, 0);
    EventSubscription **subscriptions = calloc(MANY, sizeof(EventSubscription *));
    Listener others = LISTENER_INIT, mine = LISTENER_INIT;
    Uuid me = uuid_new();
    uint64_t since;

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        Uuid user = uuid_new();
        subscriptions[i] = event_feed_subscribe(feed, i == MANY / 2 ? &me : &user, TOPIC, 0, hear,
                                                i == MANY / 2 ? &mine : &others);
    }
    since = clock_mono_ms();
    for (int64_t i = 1; i <= 20; i++) {
        event_testing_add(db, &me, "a");
        assert_true(hears(&mine, i, PATIENCE_MS));
    }
    print_message("heard 20 times in %d ms\n", (int)(clock_mono_ms() - since));
    assert_int_equal(others.calls, 0);
    for (unsigned i = 0; i < MANY; i++) {
        event_feed_unsubscribe(feed, subscriptions[i]);
    }
    free(subscriptions);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_announced_is_heard_at_once),
        cmocka_unit_test(what_was_known_is_not_told_again),
        cmocka_unit_test(what_was_committed_before_is_found),
        cmocka_unit_test(the_backstop_finds_what_clocks_hide),
        cmocka_unit_test(a_clock_that_is_ahead_hides_nothing),
        cmocka_unit_test(everybody_ends_with_everything),
        cmocka_unit_test(subscribers_come_and_go_meanwhile),
        cmocka_unit_test(ten_thousand_hear_of_their_own),
    };
    int failed;

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s URL\n", argv[0]);
        return 2;
    }
    url = argv[1];
    if (argc == 3) {
        return run_child(argv[2]);
    }
    if (event_testing_open(url, &db) != 0) {
        return 2;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_free(db);
    return failed;
}
