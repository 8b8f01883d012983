/* SPDX-License-Identifier: Apache-2.0 */

/* Several pieces of work at once, each on a connection of its own. */

#include "app/sync_dir/sync_dir.h"
#include "base/error.h"

#define CREW_SIZE 4
/* So many in a row that the server did not answer: it is away, not the piece's fault. */
#define AWAY_MAX 8

typedef struct Crew {
    SyncDir *sync;
    CrewWork *work;
    char *items;
    size_t item_size, n, next, first;
    unsigned n_away;
    int result;
    char *error;
    pthread_mutex_t lock;
} Crew;

static unsigned gravity(int r) {
    return r == 0 ? 0 : r == SYNC_LINK_E_AWAY ? 1 : r < 0 && r != -EINTR ? 2 : r > 0 ? 3 : 4;
}

/* With the lock held. */
static void note(Crew *crew, SyncLink *link, int r) {
    crew->n_away = r == SYNC_LINK_E_AWAY ? crew->n_away + 1 : 0;
    if (r == SYNC_DIR_E_OWN || gravity(r) <= gravity(crew->result)) {
        return;
    }
    crew->result = r;
    free(crew->error);
    crew->error = link->error ? strdup(link->error) : NULL;
}

static void *crew_thread(void *userdata) {
    Crew *crew = userdata;
    SyncLink link;

    sync_link_open(&link, &crew->sync->server);
    pthread_mutex_lock(&crew->lock);
    while (crew->next < crew->n && crew->n_away < AWAY_MAX && gravity(crew->result) <= 1) {
        size_t index = (crew->first + crew->next++) % crew->n;
        int r;
        pthread_mutex_unlock(&crew->lock);
        sync_link_reset(&link);
        r = crew->work(crew->sync, &link, crew->items + index * crew->item_size);
        pthread_mutex_lock(&crew->lock);
        note(crew, &link, r);
    }
    pthread_mutex_unlock(&crew->lock);
    sync_link_close(&link);
    return NULL;
}

int crew_run(SyncDir *sync, CrewWork *work, void *items, size_t item_size, size_t n,
             const char **ret_error) {
    Crew crew = {.sync = sync,
                 .work = work,
                 .items = items,
                 .item_size = item_size,
                 .n = n,
                 .first = n > 0 ? sync->turn % n : 0};
    pthread_t threads[CREW_SIZE];
    size_t n_threads = 0;

    pthread_mutex_init(&crew.lock, NULL);
    while (n_threads < MIN(n, (size_t)CREW_SIZE) &&
           pthread_create(&threads[n_threads], NULL, crew_thread, &crew) == 0) {
        n_threads++;
    }
    if (n_threads == 0 && n > 0) {
        crew_thread(&crew);
    }
    for (size_t i = 0; i < n_threads; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_mutex_destroy(&crew.lock);
    if (crew.result != 0) {
        sync->turn += crew.next;
    }
    if (crew.error) {
        *ret_error = arena_strdup(sync->arena, str_from(crew.error));
        free(crew.error);
    }
    return crew.result;
}
