/* SPDX-License-Identifier: Apache-2.0 */
#include "app/file_limit.h"

#include "base/log.h"
#include "base/macro.h"

#include <sys/resource.h>

#define OWN_FILES       512 /* databases, workers, pictures under way */
#define CONNECTIONS_MIN 16

unsigned file_limit_connections(unsigned wanted) {
    rlim_t files = (rlim_t)wanted + OWN_FILES;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return wanted;
    }
    if (limit.rlim_cur < files) {
        limit.rlim_cur = MIN(files, limit.rlim_max);
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < files) {
            rlim_t left = limit.rlim_cur - MIN(limit.rlim_cur, (rlim_t)OWN_FILES);
            unsigned allowed = (unsigned)MAX(left, (rlim_t)CONNECTIONS_MIN);
            log_warn("fewer connections than connections-max, for want of open files",
                     LOG_INT("connections", allowed), LOG_INT("files", limit.rlim_cur));
            return allowed;
        }
    }
    return wanted;
}
