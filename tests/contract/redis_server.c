/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/redis_server.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_TIMEOUT_MS 20000
#define TRIES            5
#define EXTRA_MAX        8
#define STATUS_NO_BINARY 127
#define STATUS_SKIPPED   77

static struct sockaddr_in local(uint16_t port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

uint16_t redis_server_free_port(void) {
    _cleanup_(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = local(0);
    socklen_t len = sizeof(address);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
        return 0;
    }
    return ntohs(address.sin_port);
}

int redis_server_ask(uint16_t port, const char *line, char *ret_answer, size_t size) {
    _cleanup_(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = local(port);
    ssize_t n;

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        send(fd, line, strlen(line), MSG_NOSIGNAL) < 0 || send(fd, "\r\n", 2, MSG_NOSIGNAL) < 0) {
        return -errno;
    }
    n = recv(fd, ret_answer, size - 1, 0);
    if (n <= 0) {
        return n < 0 ? -errno : -ECONNRESET;
    }
    ret_answer[n] = '\0';
    return 0;
}

/* Whether it speaks, also when it wants a password first. */
static bool answers(uint16_t port) {
    char answer[64];

    return redis_server_ask(port, "PING", answer, sizeof(answer)) == 0 &&
           (answer[0] == '+' || memcmp(answer, "-NOAUTH", 7) == 0);
}

static void run_server(uint16_t port, const char *const *extra, pid_t parent) {
    char number[8];
    const char *argv[16 + EXTRA_MAX] = {
        "redis-server", "--port", number,       "--bind",  "127.0.0.1",   "--save", "",
        "--appendonly", "no",     "--loglevel", "warning", "--daemonize", "no"};
    size_t n = 13;

    snprintf(number, sizeof(number), "%u", port);
    for (size_t i = 0; extra && extra[i] && i < EXTRA_MAX; i++) {
        argv[n++] = extra[i];
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && chdir("/") == 0 && freopen("/dev/null", "w", stdout)) {
        execvp(argv[0], (char *const *)argv);
    }
    _exit(STATUS_NO_BINARY);
}

static int start_at(RedisServer *ret_server, uint16_t port, const char *const *extra) {
    uint64_t until = clock_mono_ms() + START_TIMEOUT_MS;
    RedisServer server = {.port = port};
    pid_t parent = getpid();
    int status;

    server.pid = fork();
    if (server.pid < 0) {
        return err_errno();
    }
    if (server.pid == 0) {
        run_server(port, extra, parent);
    }
    while (clock_mono_ms() < until) {
        if (waitpid(server.pid, &status, WNOHANG) == server.pid) {
            return WIFEXITED(status) && WEXITSTATUS(status) == STATUS_NO_BINARY ? -ENOENT
                                                                                : -EADDRINUSE;
        }
        if (answers(port)) {
            *ret_server = server;
            return 0;
        }
        nanosleep(&(struct timespec){.tv_nsec = 5 * 1000000L}, NULL);
    }
    redis_server_stop(&server);
    return -ETIMEDOUT;
}

int redis_server_start(RedisServer *ret_server, uint16_t port, const char *const *extra) {
    int r = -EADDRINUSE;

    /* Somebody else may take the free port meanwhile. */
    for (int i = 0; i < TRIES && r == -EADDRINUSE; i++) {
        r = start_at(ret_server, port ? port : redis_server_free_port(), extra);
    }
    return r;
}

void redis_server_stop(RedisServer *server) {
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
        server->pid = 0;
    }
}

int redis_server_explain(int r) {
    if (r == -ENOENT) {
        printf("redis-server is not installed\n");
        return STATUS_SKIPPED;
    }
    printf("redis-server does not start: %s\n", strerror(-r));
    return 1;
}
