/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Packets between processes: JSON of at most IPC_PACKET_MAX bytes and a few file descriptors over a
 * SOCK_SEQPACKET pair. What is received is untrusted: it is an object, whole, or an error.
 */

#include <jansson.h>
#include <stddef.h>

#define IPC_PACKET_MAX 65536
#define IPC_FDS_MAX    4

typedef struct IpcPacket {
    json_t *json;
    int fds[IPC_FDS_MAX]; /* close-on-exec; taken with TAKE_FD() */
    size_t n_fds;
} IpcPacket;
#define IPC_PACKET_INIT ((IpcPacket){.fds = {-1, -1, -1, -1}})

/* Releases the JSON and closes the descriptors that nobody took. */
void ipc_packet_done(IpcPacket *packet);

/* A connected pair, both ends close-on-exec; `near` does not block, `far` does. */
int ipc_pair(int *ret_near, int *ret_far);

/*
 * Sends one packet; the descriptors stay the caller's. -EMSGSIZE: too long. -EAGAIN: the other side
 * does not read. -EPIPE: it is gone. Never raises SIGPIPE.
 */
int ipc_send(int fd, const json_t *json, const int *fds, size_t n_fds);

enum {
    IPC_E_CLOSED = 1, /* the other side is gone */
    IPC_E_EMPTY,      /* nothing has come yet (only where the socket does not block) */
};
/* 0, IPC_E_*, -EBADMSG (cut off, too many descriptors, not one JSON object), or another fault. */
int ipc_recv(int fd, IpcPacket *ret_packet);
