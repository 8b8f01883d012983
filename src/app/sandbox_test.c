/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sandbox.h"

#include "base/fd.h"
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMORY_FILE 3 /* stands for all that a worker has */

/* What a hostile worker tries: true when it got what it wanted. */
typedef bool Attempt(void);

static bool opens_a_file(void) {
    return open("/etc/passwd", O_RDONLY) >= 0;
}
static bool looks_at_a_file(void) {
    struct stat status;
    return stat("/etc/passwd", &status) == 0;
}
static bool opens_a_socket(void) {
    return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}
static bool opens_a_pair(void) {
    int ends[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0;
}
static bool runs_a_program(void) {
    return execl("/bin/true", "true", NULL) == 0;
}
static bool forks(void) {
    return syscall(SYS_fork) >= 0;
}
static bool clones_a_process(void) {
    return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0;
}
static bool clones_by_clone3(void) {
    struct {
        uint64_t flags, rest[10];
    } arguments = {0};
    return syscall(SYS_clone3, &arguments, sizeof(arguments)) >= 0;
}
static bool clones_a_namespace(void) {
    return syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_NEWUSER, 0, 0, 0,
                   0) >= 0;
}
static bool signals_its_parent(void) {
    return kill(getppid(), 0) == 0;
}
static bool signals_a_thread_of_its_parent(void) {
    return syscall(SYS_tgkill, getppid(), getppid(), 0) == 0;
}
static bool queues_a_signal_for_its_parent(void) {
    siginfo_t info = {.si_code = SI_QUEUE};
    return syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info) == 0;
}
static bool traces(void) {
    return ptrace(PTRACE_TRACEME, 0, 0, 0) == 0;
}
static bool maps_code(void) {
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) != MAP_FAILED;
}
static bool makes_memory_code(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
}
static bool uses_another_descriptor(void) {
    char byte;
    return read(4, &byte, 1) >= 0;
}
static bool raises_its_limits(void) {
    struct rlimit limit = {.rlim_cur = 1000, .rlim_max = 1000};
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}
static bool takes_all_memory(void) {
    return mmap(NULL, (size_t)64 << 30, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}
static bool writes_a_huge_file(void) {
    return ftruncate(MEMORY_FILE, (off_t)1 << 30) == 0;
}
static bool makes_a_memory_file(void) {
    return syscall(SYS_memfd_create, "x", MFD_CLOEXEC | MFD_ALLOW_SEALING) >= 0;
}
static bool collects_descriptors(void) {
    for (int i = 0; i < 100; i++) {
        if (eventfd(0, 0) < 0) {
            return false;
        }
    }
    return true;
}
static bool asks_for_io_uring(void) {
    return syscall(SYS_io_uring_setup, 1, NULL) >= 0;
}

static const struct {
    const char *name;
    Attempt *attempt;
    bool sanitizers_may; /* what they need themselves cannot be closed in such a build */
} hostile[] = {
    {"opens_a_file", opens_a_file},
    {"looks_at_a_file", looks_at_a_file},
    {"opens_a_socket", opens_a_socket},
    {"opens_a_pair", opens_a_pair},
    {"runs_a_program", runs_a_program},
    {"forks", forks},
    {"clones_a_process", clones_a_process},
    {"clones_by_clone3", clones_by_clone3},
    {"clones_a_namespace", clones_a_namespace},
    {"signals_its_parent", signals_its_parent},
    {"signals_a_thread_of_its_parent", signals_a_thread_of_its_parent, true},
    {"queues_a_signal_for_its_parent", queues_a_signal_for_its_parent},
    {"traces", traces},
    {"maps_code", maps_code, true},
    {"makes_memory_code", makes_memory_code, true},
    {"uses_another_descriptor", uses_another_descriptor},
    {"raises_its_limits", raises_its_limits, true},
    {"takes_all_memory", takes_all_memory, true},
    {"writes_a_huge_file", writes_a_huge_file},
    {"makes_a_memory_file", makes_a_memory_file},
    {"collects_descriptors", collects_descriptors},
    {"asks_for_io_uring", asks_for_io_uring},
};

enum {
    GOT_IT = 10,
    DID_NOT,
    NO_SANDBOX
};

static int in_child(Attempt *attempt, int (*enter)(void)) {
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        int null = open("/dev/null", O_RDWR), memory = memfd_create("x", MFD_ALLOW_SEALING);
        dup2(memory, MEMORY_FILE);
        dup2(null, 4);
        if (enter() != 0) {
            _exit(NO_SANDBOX);
        }
        _exit(attempt() ? GOT_IT : DID_NOT);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int enter_worker(void) {
    return sandbox_enter_worker(&(SandboxLimits){
        .socket = MEMORY_FILE, .memory_max = (uint64_t)8 << 30, .file_max = (uint64_t)1 << 20});
}

static void a_hostile_worker_gets_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        int status;
#ifdef IMAGESYNC_SANITIZED
        if (hostile[i].sanitizers_may) {
            continue;
        }
#endif
        status = in_child(hostile[i].attempt, enter_worker);
        if (!(WIFSIGNALED(status) && (WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGXFSZ)) &&
            !(WIFEXITED(status) && WEXITSTATUS(status) == DID_NOT)) {
            fail_msg("%s: status %#x", hostile[i].name, status);
        }
    }
}

static void *answer(void *userdata) {
    return userdata;
}

/* Threads, memory and the descriptor it has: what a worker lives of. */
static bool works(void) {
    pthread_t thread;
    void *result = NULL;
    char *bytes = malloc(50 << 20);
    bool ok = bytes != NULL;

    if (ok) {
        memset(bytes, 1, 50 << 20);
    }
    ok = ok && pthread_create(&thread, NULL, answer, bytes) == 0;
    ok = ok && pthread_join(thread, &result) == 0 && result == bytes;
    free(bytes);
    return ok && fd_write_all(MEMORY_FILE, "x", 1) == 0;
}

static void a_worker_can_work(void **state) {
    int status = in_child(works, enter_worker);

    (void)state;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), GOT_IT);
}

static char cache[] = "/tmp/sandbox_test.XXXXXX";

static int enter_inference(void) {
    return sandbox_enter_inference(cache);
}

static bool makes_a_file_in_its_cache(void) {
    char path[64];

    snprintf(path, sizeof(path), "%s/blob", cache);
    return open(path, O_CREAT | O_WRONLY, 0600) >= 0 && unlink(path) == 0;
}
static bool makes_a_file_elsewhere(void) {
    char path[64];

    snprintf(path, sizeof(path), "%s-not", cache);
    return open(path, O_CREAT | O_WRONLY, 0600) >= 0 && unlink(path) == 0;
}
static bool writes_to_another_process(void) {
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/mem", getppid());
    return open(path, O_WRONLY) >= 0;
}
static bool raises_a_signal(void) {
    signal(SIGUSR1, SIG_IGN);
    return raise(SIGUSR1) == 0;
}

static bool has_landlock(void) {
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

static void the_inference_process_can_read_models_and_little_else(void **state) {
    static Attempt *const allowed[] = {opens_a_file, works, makes_a_file_in_its_cache,
                                       raises_a_signal};
    static Attempt *const forbidden[] = {opens_a_socket,
                                         runs_a_program,
                                         traces,
                                         opens_a_pair,
                                         signals_its_parent,
                                         signals_a_thread_of_its_parent,
                                         queues_a_signal_for_its_parent,
                                         asks_for_io_uring,
                                         makes_a_file_elsewhere,
                                         writes_to_another_process};
    size_t n = ARRAY_LEN(forbidden) - (has_landlock() ? 0 : 2);
    int status;

    (void)state;
    assert_non_null(mkdtemp(cache));
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        assert_int_equal(WEXITSTATUS(in_child(allowed[i], enter_inference)), GOT_IT);
    }
    assert_int_equal(rmdir(cache), 0);
    for (size_t i = 0; i < n; i++) {
        status = in_child(forbidden[i], enter_inference);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), DID_NOT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hostile_worker_gets_nothing),
        cmocka_unit_test(a_worker_can_work),
        cmocka_unit_test(the_inference_process_can_read_models_and_little_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
