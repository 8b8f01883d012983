/* SPDX-License-Identifier: Apache-2.0 */
#include "app/user_client.h"

#include "adapters/access/http/access_http.h"
#include "app/service_key.h"
#include "base/error.h"
#include "base/log.h"

/* It may come later, or be mended: what can be served without it is. */
static void say_whether_reached(Access *access) {
    int r = access_http_ping(access);

    if (r == -EACCES) {
        log_error("user service refuses our service token: the service keys differ");
    } else if (r < 0) {
        log_warn("user service unreachable, refusing users until it answers");
    }
}

int user_client_start(const Settings *settings, const char *from, Cache *cache, Metrics *metrics,
                      Arena *arena, UserClient *ret_client, const char **reterr_text) {
    UserClient *client = ret_client;
    AccessHttpOptions options = {.url = settings->user_service,
                                 .ca_file = settings->user_service_ca,
                                 .timeout_ms = (uint32_t)settings->user_service_timeout_ms,
                                 .cache = cache,
                                 .metrics = metrics};
    _cleanup_(master_keys_freep) MasterKeys *keys = NULL;
    const char *reason = "";
    int r = service_key_open(settings, false, arena, &keys, reterr_text);

    if (r < 0) {
        return r;
    }
    r = service_signer_new(keys, from, SERVICE_USER, &client->signer);
    if (r < 0) {
        *reterr_text = strerrordesc_np(-r);
        return r;
    }
    options.signer = client->signer;
    r = access_http_new(&options, &client->access, &reason);
    if (r < 0) {
        *reterr_text = arena_printf(arena, "--user-service '%s': %s",
                                    config_shown(arena, options.url), reason);
        return r;
    }
    say_whether_reached(client->access);
    return 0;
}

void user_client_done(UserClient *client) {
    access_http_free(client->access);
    service_signer_free(client->signer);
    *client = (UserClient){0};
}
