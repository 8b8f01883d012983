/* SPDX-License-Identifier: Apache-2.0 */
#include "app/trouble_log.h"

#include "base/log.h"

void trouble_log(const char *server, const char *reason) {
    if (reason) {
        log_warn("server cannot be used", LOG_STR("server", server), LOG_STR("reason", reason));
    } else {
        log_info("server can be used again", LOG_STR("server", server));
    }
}
