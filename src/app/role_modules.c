/* SPDX-License-Identifier: Apache-2.0 */
#include "app/role_modules.h"

#include "app/roles.h"
#include "base/log.h"

#include <dlfcn.h>
#include <stddef.h>

/* The module is looked for where the binary's run path says: beside it, or where it is installed.
 */
static int run_module(const char *file, int argc, char **argv) {
    void *module = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    int (*entry)(int, char **) = NULL;

    if (module) {
        *(void **)&entry = dlsym(module, "role_module_main");
    }
    if (!entry) {
        log_error("module not loaded", LOG_STR("file", file), LOG_STR("error", dlerror()));
        return 1;
    }
    return entry(argc, argv);
}

int role_worker(int argc, char **argv) {
    return run_module("imagesync-worker.so", argc, argv);
}

int role_inference(int argc, char **argv) {
    return run_module("imagesync-inference.so", argc, argv);
}
