/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sandbox.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/macro.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef IMAGESYNC_SANITIZED
#include <sanitizer/common_interface_defs.h>
#endif

/* Descriptors at once: the standard ones, the socket, a job's four, and some that codecs may want.
 * What a worker keeps open it keeps in memory. */
#define FILES_MAX 16

/* Computing, threads, memory, the sockets and memory files it already holds. */
static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(ftruncate),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(futex),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(gettid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrusage),
    SCMP_SYS(times),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(getcpu),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    SCMP_SYS(eventfd2),
    SCMP_SYS(membarrier),
};

/* What libraries try and can do without. */
static const int refused[] = {
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(openat2),
    SCMP_SYS(creat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(statfs),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),
    SCMP_SYS(socket),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(sched_setaffinity),
    SCMP_SYS(sched_setscheduler),
    SCMP_SYS(sched_getattr),
    SCMP_SYS(sched_setattr),
    SCMP_SYS(setpriority),
    SCMP_SYS(prctl),
    SCMP_SYS(ioctl),
    SCMP_SYS(getdents64),
};

static int add(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n) {
    for (size_t i = 0; i < n; i++) {
        int r = seccomp_rule_add(filter, action, calls[i], 0);
        /* A call that this architecture does not have needs no rule. */
        if (r < 0 && r != -EDOM && r != -EACCES) {
            return err_trace(r);
        }
    }
    return 0;
}

static int limit(int resource, uint64_t value) {
    struct rlimit rlimit = {.rlim_cur = value, .rlim_max = value};
    return setrlimit((__rlimit_resource_t)resource, &rlimit) < 0 ? err_trace(err_errno()) : 0;
}

#ifdef IMAGESYNC_SANITIZED
/* Sanitizers map terabytes of shadow, read /proc/self/maps and look through their own memory. */
static int add_build(scmp_filter_ctx filter) {
    static const int wanted[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(prctl),
                                 SCMP_SYS(tgkill), SCMP_SYS(prlimit64)};
    return add(filter, SCMP_ACT_ALLOW, wanted, ARRAY_LEN(wanted));
}

/* Their log_path names a file that could no longer be opened. */
static void report_here(void) {
    __sanitizer_set_report_fd((void *)(uintptr_t)STDERR_FILENO);
}

static int limit_memory(uint64_t max) {
    (void)max;
    return 0;
}
#else
/* Memory that can be written never becomes code. */
static int add_build(scmp_filter_ctx filter) {
    int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (r == 0) {
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    }
    return err_trace(r);
}

static void report_here(void) {
}

static int limit_memory(uint64_t max) {
    return max > 0 ? limit(RLIMIT_AS, max) : 0;
}
#endif

/* Threads yes, processes no; no changing of open descriptors. */
static int add_conditional(scmp_filter_ctx filter) {
    const scmp_datum_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
    const scmp_datum_t namespaces = CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                                    CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, thread | namespaces, thread));
    if (r == 0) {
        /* Its flags lie in memory, where no filter can see them; glibc falls back to clone. */
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    }
    for (size_t i = 0; r == 0 && i < 2; i++) {
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                             SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)(i ? F_GETFL : F_GETFD)));
    }
    if (r == 0) {
        /* glibc asks for the stack limit when it starts a thread; setting limits stays closed. */
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
                             SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
    }
    return err_trace(r);
}

static int load(scmp_filter_ctx filter) {
    int r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

    if (r == 0) {
        r = seccomp_load(filter);
    }
    return err_trace(r);
}

static int close_others(int keep) {
    if (close_range(3, (unsigned)keep - 1, 0) < 0 && keep > 3) {
        return err_trace(err_errno());
    }
    return close_range((unsigned)keep + 1, ~0u, 0) < 0 ? err_trace(err_errno()) : 0;
}

static int give_up_privileges(void) {
    report_here();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
        return err_trace(err_errno());
    }
    return limit(RLIMIT_CORE, 0);
}

int sandbox_enter_worker(const SandboxLimits *limits) {
    scmp_filter_ctx filter;
    int r = close_others(limits->socket);

    if (r < 0 || (r = limit_memory(limits->memory_max)) < 0 ||
        (r = limit(RLIMIT_NOFILE, FILES_MAX)) < 0 ||
        (r = limit(RLIMIT_FSIZE, limits->file_max)) < 0 || (r = give_up_privileges()) < 0) {
        return r;
    }
    filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter) {
        return err_trace(-ENOMEM);
    }
    r = add_build(filter);
    if (r == 0) {
        r = add(filter, SCMP_ACT_ALLOW, allowed, ARRAY_LEN(allowed));
    }
    if (r == 0) {
        r = add(filter, SCMP_ACT_ERRNO(EPERM), refused, ARRAY_LEN(refused));
    }
    if (r == 0) {
        r = add_conditional(filter);
    }
    if (r == 0) {
        r = load(filter);
    }
    seccomp_release(filter);
    return r;
}

/* Deny-list: the model runtime reads files, and changes with its version. */
static const int denied[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(socket),
    SCMP_SYS(socketpair),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(process_madvise),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(tkill),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(kexec_load),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(rt_sigqueueinfo),
    SCMP_SYS(rt_tgsigqueueinfo),
    SCMP_SYS(truncate),
    SCMP_SYS(chown),
    SCMP_SYS(fchown),
    SCMP_SYS(lchown),
    SCMP_SYS(fchownat),
    SCMP_SYS(setxattr),
    SCMP_SYS(lsetxattr),
    SCMP_SYS(fsetxattr),
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setreuid),
    SCMP_SYS(setresuid),
};

#define CHANGES                                                                                    \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                               \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |   \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* Of this thread and those it starts; see landlock(7). */
static int keep_files_as_they_are(const char *writable) {
    struct landlock_ruleset_attr attributes = {.handled_access_fs = CHANGES};
    struct landlock_path_beneath_attr beneath = {.allowed_access = CHANGES, .parent_fd = -1};
    _cleanup_(fd_closep) int rules = -1, folder = -1;

    rules =
        (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), /* flags= */ 0);
    if (rules < 0) {
        /* A kernel without it, or where it is switched off. */
        return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : err_trace(err_errno());
    }
    folder = writable ? open(writable, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder >= 0) {
        beneath.parent_fd = folder;
        if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0) {
            return err_trace(err_errno());
        }
    }
    return syscall(SYS_landlock_restrict_self, rules, 0) < 0 ? err_trace(err_errno()) : 0;
}

int sandbox_enter_inference(const char *cache_dir) {
    scmp_filter_ctx filter;
    int r = give_up_privileges();

    if (r < 0 || (r = keep_files_as_they_are(cache_dir)) < 0) {
        return r;
    }
    filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter) {
        return err_trace(-ENOMEM);
    }
    r = add(filter, SCMP_ACT_ERRNO(EPERM), denied, ARRAY_LEN(denied));
    if (r == 0) {
        /* Signals to itself (abort) are all it may send. */
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(kill), 1,
                             SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)getpid()));
    }
    if (r == 0) {
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 1,
                             SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)getpid()));
    }
    if (r == 0) {
        r = load(filter);
    }
    seccomp_release(filter);
    return err_trace(r);
}
