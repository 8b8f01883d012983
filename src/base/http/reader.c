/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers whose bytes are made as they are sent. The library asks for bytes on its own thread; what
 * is ready is copied to it and the next block is read on the executor meanwhile. When nothing is
 * ready the connection is suspended until the block is there. The library asks with a lock of the
 * response held, so that ours is never held while a response is destroyed.
 */
#include "base/http/server_internal.h"

#include "base/error.h"

#define READ_SIZE  ((size_t)96 * 1024) /* of each of two blocks of ours */
#define BLOCK_SIZE ((size_t)64 * 1024) /* of the library's */

struct Reader {
    atomic_uint refs; /* of the request, the response and the reading under way */
    HttpReader from;
    HttpServer *server;
    struct MHD_Connection *connection;
    uint64_t len;

    pthread_mutex_t lock;       /* guards what follows */
    char *ready, *next;         /* blocks; NULL until they are used */
    size_t ready_at, ready_len; /* what the library has of the first, and what there is */
    size_t next_len;
    uint64_t offset;      /* where the next block begins */
    uint64_t given, sent; /* what the library has got, and has sent for sure */
    bool reading;         /* a block, or it is about to be asked for: `wanted` */
    bool wanted;
    bool at_end;
    int fault;
    bool suspended; /* the connection, until there is more */
    bool closed;    /* nobody asks any more */
    bool done;
};

static void reader_unref(Reader *reader) {
    if (reader && atomic_fetch_sub(&reader->refs, 1) == 1) {
        free(reader->ready);
        free(reader->next);
        pthread_mutex_destroy(&reader->lock);
        free(reader);
    }
}

Reader *reader_free(Reader *reader) {
    reader_unref(reader);
    return NULL;
}

static void read_block(void *userdata, bool cancelled);

/*
 * Leaves the lock. Calls `done`, once, when nothing will be read any more; has the next block read
 * when it is wanted, which is not done with the lock held as the executor's thread would wait for
 * it.
 */
static void unlock(Reader *reader) {
    bool wanted = reader->wanted, done = !reader->done && !reader->reading &&
                                         (reader->closed || reader->at_end || reader->fault);

    reader->wanted = false;
    reader->done = reader->done || done;
    pthread_mutex_unlock(&reader->lock);
    if (wanted) {
        retry_submit(reader->server, reader->from.executor, read_block, reader);
    }
    if (done) {
        reader->from.done(reader->from.state);
    }
}

static void resume(Reader *reader) {
    if (reader->suspended) {
        reader->suspended = false;
        MHD_resume_connection(reader->connection);
    }
}

/* On a thread of the executor, perhaps after the server has ended. */
static void read_block(void *userdata, bool cancelled) {
    Reader *reader = userdata;
    size_t max = (size_t)MIN(reader->len - reader->offset, (uint64_t)READ_SIZE), n = 0;
    int r = -ECANCELED;

    if (!reader->next && !(reader->next = malloc(READ_SIZE))) {
        abort();
    }
    if (!cancelled) {
        r = reader->from.read(reader->from.state, reader->offset, reader->next, max, &n);
    }
    pthread_mutex_lock(&reader->lock);
    reader->reading = false;
    if (r < 0) {
        reader->fault = r;
    } else {
        reader->next_len = n;
        reader->offset += n;
        reader->at_end = n == 0 || reader->offset == reader->len;
    }
    resume(reader);
    unlock(reader);
    reader_unref(reader);
}

/* With the lock held: sees to it that there are bytes, and that the next are read. */
static void advance(Reader *reader) {
    if (reader->ready_at == reader->ready_len && reader->next_len > 0) {
        char *used = reader->ready;
        reader->ready = reader->next;
        reader->ready_at = 0;
        reader->ready_len = reader->next_len;
        reader->next = used;
        reader->next_len = 0;
    }
    if (!reader->reading && reader->next_len == 0 && !reader->at_end && reader->fault == 0 &&
        !reader->closed) {
        reader->reading = reader->wanted = true;
        atomic_fetch_add(&reader->refs, 1);
    }
}

static size_t take(Reader *reader, char *out, size_t max) {
    size_t taken = 0;

    do {
        size_t n;
        advance(reader);
        n = MIN(max - taken, reader->ready_len - reader->ready_at);
        if (n > 0) {
            memcpy(out + taken, reader->ready + reader->ready_at, n);
        }
        reader->ready_at += n;
        taken += n;
    } while (taken < max && reader->next_len > 0);
    reader->given += taken;
    return taken;
}

static ssize_t ask(void *userdata, uint64_t position, char *out, size_t max) {
    Reader *reader = userdata;
    ssize_t n;

    pthread_mutex_lock(&reader->lock);
    reader->sent = position;
    /* A connection may not wait any more once those that did have been resumed. */
    n = reader->closed || atomic_load(&reader->server->stopping) ? MHD_CONTENT_READER_END_WITH_ERROR
                                                                 : (ssize_t)take(reader, out, max);
    if (n == 0 && reader->fault) {
        n = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (n == 0 && reader->at_end) {
        n = reader->len == HTTP_LEN_UNKNOWN ? MHD_CONTENT_READER_END_OF_STREAM
                                            : MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (n == 0) {
        reader->suspended = true;
        MHD_suspend_connection(reader->connection);
    }
    unlock(reader);
    return n;
}

/* The library has no more use for the response. */
static void let_go(void *userdata) {
    Reader *reader = userdata;

    pthread_mutex_lock(&reader->lock);
    reader->closed = true;
    unlock(reader);
    reader_unref(reader);
}

void reader_orphan(Reader *reader) {
    pthread_mutex_lock(&reader->lock);
    reader->closed = true;
    resume(reader);
    unlock(reader);
}

uint64_t reader_sent(Reader *reader, bool all) {
    uint64_t sent;

    pthread_mutex_lock(&reader->lock);
    sent = all ? reader->given : reader->sent;
    pthread_mutex_unlock(&reader->lock);
    return sent;
}

bool reader_failed(Reader *reader) {
    bool failed;

    pthread_mutex_lock(&reader->lock);
    failed = reader->fault ||
             (reader->at_end && reader->len != HTTP_LEN_UNKNOWN && reader->offset < reader->len);
    pthread_mutex_unlock(&reader->lock);
    return failed;
}

static Reader *reader_new(const HttpRequest *request, uint64_t len, const HttpReader *from) {
    Reader *reader = calloc(1, sizeof(*reader));

    if (!reader) {
        abort();
    }
    atomic_init(&reader->refs, 2);
    pthread_mutex_init(&reader->lock, NULL);
    reader->from = *from;
    reader->server = request->server;
    reader->connection = request->connection;
    reader->len = len;
    return reader;
}

struct MHD_Response *reader_response(HttpRequest *request, uint64_t len, const HttpReader *from) {
    size_t block = (size_t)MAX(MIN(len, (uint64_t)BLOCK_SIZE), (uint64_t)1);
    struct MHD_Response *response;

    request->reader = reader_new(request, len, from);
    response = MHD_create_response_from_callback(len, block, ask, request->reader, let_go);
    if (!response) {
        abort(); /* exhausted memory */
    }
    return response;
}
