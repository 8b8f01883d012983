/* SPDX-License-Identifier: Apache-2.0 */

/* The program: a person's command line, or one of the parts it plays under itself. */

#include "app/cli.h"
#include "app/roles.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int run_role(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } roles[] = {{"worker", role_worker}, {"inference", role_inference}, {"http", role_http}};

    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        if (strcmp(argv[0], roles[i].name) == 0) {
            char name[16];
            /* What ps and top show; it would be "exe" otherwise. */
            snprintf(name, sizeof(name), "imagesync-%.5s", roles[i].name);
            prctl(PR_SET_NAME, name);
            return roles[i].run(argc, argv);
        }
    }
    return cli_usage(NULL, "there is no role '%s'", argv[0]);
}

/* Where a standard descriptor is closed, a file of ours would take its place, and our words. */
static void open_standard_descriptors(void) {
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO) {
        close(fd);
    }
}

int main(int argc, char **argv) {
    open_standard_descriptors();
    /* A reader that goes away is an error of that write, not the end of the program. */
    signal(SIGPIPE, SIG_IGN);
    if (argc >= 3 && strcmp(argv[1], "-x") == 0) {
        return run_role(argc - 2, argv + 2);
    }
    return cli_main(argc - 1, argv + 1);
}
