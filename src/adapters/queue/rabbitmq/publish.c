/* SPDX-License-Identifier: Apache-2.0 */

/* What is on its way, and who waits for it. All with the lock. */

#include "adapters/queue/rabbitmq/rabbitmq_private.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/wait.h"

Kind *queue_rabbitmq_kind(QueueRabbitmq *self, const char *name) {
    Kind **at = &self->kinds;

    while (*at && strcmp((*at)->name, name) != 0) {
        at = &(*at)->next;
    }
    if (!*at) {
        *at = calloc(1, sizeof(**at));
        if (!*at) {
            abort();
        }
        memcpy((*at)->name, name, strlen(name) + 1);
    }
    return *at;
}

static void enqueue(QueueRabbitmq *self, Publish *publish) {
    publish->next = NULL;
    if (self->to_send.last) {
        self->to_send.last->next = publish;
    } else {
        self->to_send.first = publish;
    }
    self->to_send.last = publish;
}

/* False when it is not there any more. */
static bool dequeue(QueueRabbitmq *self, const Publish *publish) {
    Publish *before = NULL, *at = self->to_send.first;

    while (at && at != publish) {
        before = at;
        at = at->next;
    }
    if (!at) {
        return false;
    }
    if (before) {
        before->next = at->next;
    } else {
        self->to_send.first = at->next;
    }
    if (self->to_send.last == at) {
        self->to_send.last = before;
    }
    return true;
}

Publish *queue_rabbitmq_publish(QueueRabbitmq *self, Message *message, LinkWay way,
                                uint64_t ack_tag, bool awaited) {
    Publish *publish = calloc(1, sizeof(*publish));

    if (!publish) {
        abort();
    }
    *publish = (Publish){.message = message, .way = way, .ack_tag = ack_tag, .awaited = awaited};
    pthread_cond_init(&publish->settled_cond, NULL);
    enqueue(self, publish);
    return publish;
}

static void release(Publish *publish) {
    pthread_cond_destroy(&publish->settled_cond);
    message_free(publish->message);
    free(publish);
}

void queue_rabbitmq_settle(QueueRabbitmq *self, Publish *publish, int result) {
    if (result == 0 && publish->ack_tag != 0) {
        buf_add(&self->acks, &publish->ack_tag, sizeof(publish->ack_tag));
    } else if (result == -EBUSY && publish->ack_tag != 0) {
        /* As long as it is not replaced, what was delivered stays unacknowledged. */
        enqueue(self, publish);
        return;
    }
    publish->settled = true;
    publish->result = result;
    if (publish->awaited) {
        pthread_cond_signal(&publish->settled_cond);
    } else {
        release(publish);
    }
}

int queue_rabbitmq_await(QueueRabbitmq *self, Publish *publish, uint64_t until_ms) {
    int r;

    while (!publish->settled && wait_until(&publish->settled_cond, &self->lock, until_ms)) {
    }
    if (!publish->settled) {
        if (publish->ack_tag == 0 && dequeue(self, publish)) {
            release(publish);
        } else {
            publish->awaited = false; /* whatever becomes of it */
        }
        return -ETIMEDOUT;
    }
    r = publish->result;
    release(publish);
    return r;
}
