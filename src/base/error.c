/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include "base/log.h"

#include <string.h>

int err_trace_at(int r, const char *file, int line) {
    if (r < 0 && log_enabled(LOG_LEVEL_DEBUG)) {
        log_debug("fault passed", LOG_STR("error", strerrordesc_np(-r)), LOG_STR("file", file),
                  LOG_INT("line", line));
    }
    return r;
}

int err_errno(void) {
    return errno > 0 ? -errno : -EIO;
}
