/* SPDX-License-Identifier: Apache-2.0 */
#include "app/receipts_command.h"

#include "app/file_io.h"
#include "app/key_access.h"
#include "base/error.h"
#include "base/fd.h"
#include "services/user/privacy/receipt.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX ((size_t)64 << 10)

static int read_file(const char *path, Buf *out) {
    _cleanup_(fd_closep) int fd =
        strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? -errno : fd_read_to_end(fd, FILE_MAX, out);

    return r == 0 ? EXIT_OK : cli_no_start("cannot read %s: %s", path, strerror(-r));
}

/* A mail has it on several lines. */
static Str without_blanks(Str text, Arena *arena) {
    char *kept = arena_alloc(arena, text.len + 1);
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (!strchr(" \t\r\n", text.ptr[i])) {
            kept[n++] = text.ptr[i];
        }
    }
    return (Str){kept, n};
}

static void print_time(const char *what, const json_t *claims, const char *name) {
    time_t seconds = (time_t)json_integer_value(json_object_get(claims, name));
    struct tm parts;
    char text[64];

    gmtime_r(&seconds, &parts);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts);
    printf("%-10s %s\n", what, text);
}

static void print(const json_t *claims, bool kept) {
    json_int_t total = 0;
    const char *name;
    json_t *rows = json_object_get(claims, "rows"), *value;

    printf("%-10s %s\n", "user", json_string_value(json_object_get(claims, "sub")));
    printf("%-10s %s\n", "server", json_string_value(json_object_get(claims, "iss")));
    print_time("asked", claims, "asked");
    print_time("erased", claims, "iat");
    json_object_foreach(rows, name, value) {
        total += json_integer_value(value);
    }
    printf("%-10s %lld\n", "rows", (long long)total);
    printf("The receipt is good%s.\n", kept ? "" : "; this database has no copy of it");
}

int receipts_verify_command(const CliCall *call) {
    _cleanup_(key_access_done) KeyAccess access = {0};
    _cleanup_(json_decrefp) json_t *claims = NULL;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    const char *error = "";
    bool kept = false;
    int r, status = read_file(call->arguments[0], &text);

    if (status != EXIT_OK) {
        return status;
    }
    if (key_access_start(call->settings, call->arena, &access, &error) < 0) {
        return cli_no_start("%s", error);
    }
    r = receipt_verify(access.db, access.vault, without_blanks(buf_str(&text), call->arena),
                       &claims, &kept);
    if (r < 0) {
        return cli_no_start("the receipt cannot be checked: %s", strerrordesc_np(-r));
    }
    if (r > 0) {
        fprintf(stderr, "imagesync %s: %s is no receipt that this server has signed\n",
                call->command->name, call->arguments[0]);
        return EXIT_SOME_FAILED;
    }
    print(claims, kept);
    return EXIT_OK;
}
