/* SPDX-License-Identifier: Apache-2.0 */

/* The roles without the command line around them, for tests of the pool. */

#include "app/roles.h"

#include <string.h>

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "-x") == 0 && strcmp(argv[2], "worker") == 0) {
        return role_worker(argc - 2, argv + 2);
    }
    if (argc == 3 && strcmp(argv[1], "-x") == 0 && strcmp(argv[2], "inference") == 0) {
        return role_inference(argc - 2, argv + 2);
    }
    return 2;
}
