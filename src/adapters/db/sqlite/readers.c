/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/sqlite/readers.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/wait.h"

#include <assert.h>

int readers_init(Readers *readers, const char *path, unsigned max, uint32_t wait_timeout_ms) {
    assert(max > 0);
    *readers = (Readers){.path = path, .max = max, .wait_timeout_ms = wait_timeout_ms};
    pthread_cond_init(&readers->freed, NULL);
    return -pthread_mutex_init(&readers->lock, NULL);
}

void readers_done(Readers *readers) {
    Connection *connection;

    while ((connection = readers->idle)) {
        readers->idle = connection->next;
        readers->n_open--;
        connection_free(connection);
    }
    assert(readers->n_open == 0);
    pthread_cond_destroy(&readers->freed);
    pthread_mutex_destroy(&readers->lock);
}

int readers_take(Readers *readers, Connection **ret_connection) {
    uint64_t until_ms = clock_mono_ms() + readers->wait_timeout_ms;
    Connection *connection;
    int r;

    pthread_mutex_lock(&readers->lock);
    while (!readers->idle && readers->n_open == readers->max &&
           wait_until(&readers->freed, &readers->lock, until_ms)) {
    }
    connection = readers->idle;
    if (connection) {
        readers->idle = connection->next;
    } else if (readers->n_open < readers->max) {
        readers->n_open++;
    } else {
        pthread_mutex_unlock(&readers->lock);
        return -EBUSY;
    }
    pthread_mutex_unlock(&readers->lock);
    if (!connection) {
        r = connection_open(readers->path, true, readers->wait_timeout_ms, &connection);
        if (r < 0) {
            readers_give_back(readers, NULL, false);
            return err_trace(r);
        }
    }
    *ret_connection = connection;
    return 0;
}

void readers_give_back(Readers *readers, Connection *connection, bool sound) {
    if (!sound) {
        connection_free(connection);
    }
    pthread_mutex_lock(&readers->lock);
    if (sound) {
        connection->next = readers->idle;
        readers->idle = connection;
    } else {
        readers->n_open--;
    }
    pthread_cond_signal(&readers->freed);
    pthread_mutex_unlock(&readers->lock);
}
