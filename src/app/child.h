/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the roles that a pool starts have in common: their socket, their first packet, their end. */

#include "base/ipc.h"
#include "core/contracts/worker.h"

typedef struct ChildPacket {
    ChildMessage message;
    IpcPacket packet; /* its descriptors */
    Arena *arena;     /* of the message's strings */
} ChildPacket;
#define CHILD_PACKET_INIT ((ChildPacket){.packet = IPC_PACKET_INIT})
void child_packet_done(ChildPacket *packet);

/* Ends with its parent, reads the START message and sets up the log. */
int child_begin(const char *process, ChildPacket *ret_start);

/* Waits for the next packet. 0, 1: the pool has closed the socket, or a fault. */
int child_recv(ChildPacket *ret_packet);
int child_send(const ChildMessage *message, const int *fds, size_t n_fds);
