/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where events are moved to (core/events/relay.h) for those who count and watch. What is published
 * may be published again, after a fault or a crash; an event is known by user, topic and number.
 * Of each user and topic the numbers come in order, and one that is not greater than all before it
 * is a repetition, which a reader passes over. What is left has no gap.
 */

#include "core/events/event_log.h"

#define EVENT_SINK_MAX 1000

typedef struct EventSink EventSink;

struct EventSink {
    const struct EventSinkImpl *impl;
};

typedef struct EventSinkImpl {
    int (*publish)(EventSink *self, const Event *events, size_t n);
    EventSink *(*free)(EventSink *self);
} EventSinkImpl;

/*
 * 1 to EVENT_SINK_MAX events, those of a user and topic in order. Blocks; by one thread at a time.
 *
 * 0: all are there for good. A fault: of each user and topic the first of them may be there, or
 * none; never one without those before it. Publish the same again before anything later. Within
 * EVENT_SINK_MS_MAX.
 */
#define EVENT_SINK_MS_MAX 10000
static inline int event_sink_publish(EventSink *self, const Event *events, size_t n) {
    return self->impl->publish(self, events, n);
}

static inline EventSink *event_sink_free(EventSink *self) {
    return self ? self->impl->free(self) : NULL;
}
DEFINE_CLEANUP(EventSink *, event_sink_free)
