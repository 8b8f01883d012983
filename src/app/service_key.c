/* SPDX-License-Identifier: Apache-2.0 */
#include "app/service_key.h"

#include "base/log.h"

#include <errno.h>

int service_key_open(const Settings *settings, bool create, Arena *arena, MasterKeys **ret_keys,
                     const char **reterr_text) {
    const char *path = settings->service_key, *reason = "";
    int r = 0;

    if (create) {
        r = master_key_file_create(path);
        if (r == 0) {
            log_info("service key made");
        }
    }
    r = r < 0 ? r : master_keys_read_file(path, ret_keys, &reason);
    if (r == 0) {
        return 0;
    }
    *reterr_text = r == -ENOENT
                       ? arena_printf(arena,
                                      "--service-key: %s is not there; start the user part first, "
                                      "which makes its own, and give both the same",
                                      path)
                       : arena_printf(arena, "--service-key %s: %s", path,
                                      r > 0 ? reason : strerrordesc_np(-r));
    return -EINVAL;
}
