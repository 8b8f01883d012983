/* SPDX-License-Identifier: Apache-2.0 */
#include "app/child.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#include <signal.h>
#include <sys/prctl.h>

void child_packet_done(ChildPacket *packet) {
    ipc_packet_done(&packet->packet);
    arena_freep(&packet->arena);
    *packet = CHILD_PACKET_INIT;
}

int child_recv(ChildPacket *ret_packet) {
    _cleanup_(child_packet_done) ChildPacket packet = CHILD_PACKET_INIT;
    int r = ipc_recv(CHILD_SOCKET, &packet.packet);

    if (r != 0) {
        return r < 0 ? err_trace(r) : 1;
    }
    packet.arena = arena_new();
    r = child_message_read(packet.packet.json, packet.arena, &packet.message);
    if (r < 0) {
        return err_trace(r);
    }
    *ret_packet = packet;
    packet = CHILD_PACKET_INIT;
    return 0;
}

int child_send(const ChildMessage *message, const int *fds, size_t n_fds) {
    _cleanup_(json_decrefp) json_t *json = child_message_write(message);
    int r = ipc_send(CHILD_SOCKET, json, fds, n_fds);
    return err_trace(r);
}

int child_begin(const char *process, ChildPacket *ret_start) {
    _cleanup_(child_packet_done) ChildPacket start = CHILD_PACKET_INIT;
    LogLevel level = LOG_LEVEL_WARN;
    int r;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
        return err_trace(err_errno());
    }
    r = child_recv(&start);
    if (r != 0) {
        return r < 0 ? err_trace(r) : -EPIPE;
    }
    if (start.message.op != CHILD_START) {
        return err_trace(-EBADMSG);
    }
    if (start.message.log_level && !log_level_parse(start.message.log_level, &level)) {
        return err_trace(-EINVAL);
    }
    log_setup(level, process);
    *ret_start = start;
    start = CHILD_PACKET_INIT;
    return 0;
}
