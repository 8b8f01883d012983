/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ipc.h"

#include "base/fd.h"
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct Pair {
    int near, far;
} Pair;

static int open_pair(void **state) {
    Pair *pair = calloc(1, sizeof(*pair));
    *state = pair;
    return ipc_pair(&pair->near, &pair->far);
}

static int close_pair(void **state) {
    Pair *pair = *state;
    fd_close(pair->near);
    fd_close(pair->far);
    free(pair);
    return 0;
}

static void carries_json_and_descriptors(void **state) {
    Pair *pair = *state;
    _cleanup_(json_decrefp) json_t *json = json_pack("{s:s, s:i}", "op", "hello", "id", 7);
    _cleanup_(ipc_packet_done) IpcPacket packet = IPC_PACKET_INIT;
    _cleanup_(fd_closep) int memory = -1;
    char text[6] = {0};

    assert_int_equal(fd_memory_new("test", &memory), 0);
    assert_int_equal(fd_write_all(memory, "bytes", 5), 0);
    assert_int_equal(ipc_send(pair->far, json, &memory, 1), 0);
    assert_int_equal(ipc_recv(pair->near, &packet), 0);
    assert_true(json_equal(packet.json, json));
    assert_int_equal(packet.n_fds, 1);
    assert_int_equal(fd_pread_all(packet.fds[0], text, 5, 0), 0);
    assert_string_equal(text, "bytes");
}

static void tells_empty_from_closed(void **state) {
    Pair *pair = *state;
    IpcPacket packet;

    assert_int_equal(ipc_recv(pair->near, &packet), IPC_E_EMPTY);
    pair->far = fd_close(pair->far);
    assert_int_equal(ipc_recv(pair->near, &packet), IPC_E_CLOSED);
}

static void refuses_what_is_not_a_whole_object(void **state) {
    static const char *const bad[] = {"[]", "{", "{\"a\":1,\"a\":2}", "{} x", "7"};
    Pair *pair = *state;
    IpcPacket packet;
    char *big = calloc(1, IPC_PACKET_MAX + 1);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(send(pair->far, bad[i], strlen(bad[i]), 0), strlen(bad[i]));
        assert_int_equal(ipc_recv(pair->near, &packet), -EBADMSG);
    }
    memset(big, ' ', IPC_PACKET_MAX + 1);
    memcpy(big, "{}", 2);
    assert_int_equal(send(pair->far, big, IPC_PACKET_MAX + 1, 0), IPC_PACKET_MAX + 1);
    assert_int_equal(ipc_recv(pair->near, &packet), -EBADMSG);
    free(big);
}

static int descriptors_open(void) {
    int n = 0;
    for (int fd = 0; fd < 256; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

static void too_many_descriptors_are_refused_and_closed(void **state) {
    Pair *pair = *state;
    IpcPacket packet;
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 6)];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = (char[]){"{}"}, .iov_len = 2};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    int before = descriptors_open();

    control.align = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * 6)};
    memset(CMSG_DATA(&control.align), 0, sizeof(int) * 6);
    assert_int_equal(sendmsg(pair->far, &message, 0), 2);
    assert_int_equal(ipc_recv(pair->near, &packet), -EBADMSG);
    assert_int_equal(descriptors_open(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(carries_json_and_descriptors, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(tells_empty_from_closed, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(refuses_what_is_not_a_whole_object, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(too_many_descriptors_are_refused_and_closed, open_pair,
                                        close_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
