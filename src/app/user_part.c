/* SPDX-License-Identifier: Apache-2.0 */
#include "app/user_part.h"

#include "adapters/cache/memory/memory.h"
#include "base/error.h"
#include "base/log.h"

#define MASTER_KEY_COMMAND_WORDS_MAX 32
#define MASTER_KEY_COMMAND_MS        30000
#define LOCAL_CACHE_MAX              ((size_t)8 << 20)
#define MAIL_THREADS                 2
#define MAIL_QUEUE_MAX               1000

static int read_command(const char *command, Arena *arena, MasterKeys **ret_keys,
                        const char **reterr) {
    const char *argv[MASTER_KEY_COMMAND_WORDS_MAX + 1] = {0};
    Str rest = str_from(command), word;
    size_t n = 0;

    while (str_next_token(&rest, " ", &word)) {
        if (word.len > 0 && n < MASTER_KEY_COMMAND_WORDS_MAX) {
            argv[n++] = arena_strdup(arena, word);
        }
    }
    return master_keys_read_command(argv, MASTER_KEY_COMMAND_MS, ret_keys, reterr);
}

static int open_master_keys(const Settings *settings, Arena *arena, MasterKeys **ret_keys,
                            const char **reterr_text) {
    const char *reason = "";
    bool command = settings->master_key_command[0] != '\0';
    int r;

    if (command) {
        r = read_command(settings->master_key_command, arena, ret_keys, &reason);
    } else {
        r = master_key_file_create(settings->master_key);
        if (r == 0) {
            log_info("master key made");
        }
        r = r < 0 ? r : master_keys_read_file(settings->master_key, ret_keys, &reason);
    }
    if (r == 0) {
        return 0;
    }
    *reterr_text = arena_printf(arena, "--master-key%s: %s", command ? "-command" : "",
                                r > 0 ? reason : strerrordesc_np(-r));
    return -EINVAL;
}

static int start_executors(const UserPartBase *base, UserPart *part) {
    const Settings *settings = base->settings;
    int r = executor_new(&(ExecutorOptions){.name = "blocking",
                                            .threads = (unsigned)settings->blocking_threads,
                                            .queue_max = (unsigned)settings->blocking_queue_max,
                                            .metrics = base->metrics},
                         &part->executor);

    if (r == 0) {
        r = executor_new(&(ExecutorOptions){.name = "mail",
                                            .threads = MAIL_THREADS,
                                            .queue_max = MAIL_QUEUE_MAX,
                                            .metrics = base->metrics},
                         &part->mail_executor);
    }
    return r < 0 ? err_trace(r) : 0;
}

int user_part_start(const UserPartBase *base, Arena *arena, UserPart *ret_part,
                    const char **reterr_text) {
    UserPart *part = ret_part;
    UserServiceOptions options = {.db = base->db,
                                  .cache = base->cache,
                                  .mailer = base->mailer,
                                  .metrics = base->metrics,
                                  .settings = &base->settings->user,
                                  .arena = arena};
    int r = open_master_keys(base->settings, arena, &part->master_keys, reterr_text);

    if (r < 0) {
        return r;
    }
    r = start_executors(base, part);
    if (r == 0) {
        r = cache_memory_new(&(CacheMemoryOptions){.bytes_max = LOCAL_CACHE_MAX},
                             &part->local_cache);
    }
    if (r == 0) {
        options.executor = part->executor;
        options.mail_executor = part->mail_executor;
        options.local_cache = part->local_cache;
        options.master_key = part->master_keys;
        *reterr_text = NULL;
        r = user_service_new(&options, &part->service, reterr_text);
    } else {
        *reterr_text = NULL;
    }
    if (r < 0 && !*reterr_text) {
        *reterr_text =
            arena_printf(arena, "cannot start the user service: %s", strerrordesc_np(-r));
    }
    return r;
}

void user_part_drain(UserPart *part, uint32_t timeout_ms) {
    executor_drain(part->executor, timeout_ms);
    executor_drain(part->mail_executor, timeout_ms);
}

void user_part_done(UserPart *part) {
    executor_free(part->executor);
    executor_free(part->mail_executor);
    if (part->service) {
        user_service_free(part->service);
    }
    cache_free(part->local_cache);
    if (part->master_keys) {
        master_keys_free(part->master_keys);
    }
    *part = (UserPart){0};
}
