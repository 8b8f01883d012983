/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ipc.h"

#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

typedef union Control {
    char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
    struct cmsghdr align;
} Control;

void ipc_packet_done(IpcPacket *packet) {
    json_decref(packet->json);
    for (size_t i = 0; i < packet->n_fds; i++) {
        fd_close(packet->fds[i]);
    }
    *packet = IPC_PACKET_INIT;
}

int ipc_pair(int *ret_near, int *ret_far) {
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return err_trace(err_errno());
    }
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
        int r = err_errno();
        fd_close(ends[0]);
        fd_close(ends[1]);
        return err_trace(r);
    }
    *ret_near = ends[0];
    *ret_far = ends[1];
    return 0;
}

int ipc_send(int fd, const json_t *json, const int *fds, size_t n_fds) {
    _cleanup_(freep) char *text = json_dumps(json, JSON_COMPACT);
    Control control = {0};
    struct iovec part = {.iov_base = text, .iov_len = text ? strlen(text) : 0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n;

    if (!text || part.iov_len > IPC_PACKET_MAX || n_fds > IPC_FDS_MAX) {
        return err_trace(-EMSGSIZE);
    }
    if (n_fds > 0) {
        struct cmsghdr *head;
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(head), fds, sizeof(int) * n_fds);
    }
    do {
        n = sendmsg(fd, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? err_trace(err_errno()) : 0;
}

/* Everything that arrived is taken over, so that nothing leaks when the packet turns out bad. */
static void take_fds(struct msghdr *message, IpcPacket *packet) {
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
        size_t n;
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n && packet->n_fds < IPC_FDS_MAX; i++) {
            memcpy(&packet->fds[packet->n_fds++], CMSG_DATA(head) + i * sizeof(int), sizeof(int));
        }
    }
}

int ipc_recv(int fd, IpcPacket *ret_packet) {
    _cleanup_(ipc_packet_done) IpcPacket packet = IPC_PACKET_INIT;
    _cleanup_(freep) char *text = malloc(IPC_PACKET_MAX);
    Control control = {0};
    struct iovec part = {.iov_base = text, .iov_len = IPC_PACKET_MAX};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t n;

    if (!text) {
        return err_trace(-ENOMEM);
    }
    do {
        n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        if (errno == EAGAIN) {
            return IPC_E_EMPTY;
        }
        return errno == ECONNRESET ? IPC_E_CLOSED : err_trace(err_errno());
    }
    take_fds(&message, &packet);
    if (n == 0) {
        return IPC_E_CLOSED;
    }
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        return err_trace(-EBADMSG);
    }
    packet.json = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(packet.json)) {
        return err_trace(-EBADMSG);
    }
    *ret_packet = packet;
    packet = IPC_PACKET_INIT;
    return 0;
}
