/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/event_sink_file.h"

#include "base/error.h"
#include "base/fd.h"
#include "core/events/envelope.h"

#include <fcntl.h>
#include <unistd.h>

typedef struct FileSink {
    EventSink sink;
    int fd;
} FileSink;

static int file_publish(EventSink *sink, const Event *events, size_t n) {
    const FileSink *self = (const FileSink *)sink;
    _cleanup_(buf_done) Buf text = BUF_INIT;

    buf_addf(&text, "\n");
    for (size_t i = 0; i < n; i++) {
        event_envelope_write(&events[i], EVENT_SEALED_MAX * 2, &text);
        buf_addf(&text, "\n");
    }
    if (write(self->fd, text.data, text.len) != (ssize_t)text.len || fdatasync(self->fd) < 0) {
        return err_errno();
    }
    return 0;
}

static EventSink *file_free(EventSink *sink) {
    fd_close(((FileSink *)sink)->fd);
    free(sink);
    return NULL;
}

static const EventSinkImpl impl = {.publish = file_publish, .free = file_free};

int event_sink_file_new(const char *path, EventSink **ret_sink) {
    FileSink *self;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        return err_errno();
    }
    self = calloc(1, sizeof(*self));
    if (!self) {
        abort();
    }
    self->sink.impl = &impl;
    self->fd = fd;
    *ret_sink = &self->sink;
    return 0;
}
