/* SPDX-License-Identifier: Apache-2.0 */
#include "app/audit_command.h"

#include "app/file_io.h"
#include "app/user_argument.h"
#include "base/crypto/digest.h"
#include "base/error.h"
#include "services/user/audit_check.h"

#include <fcntl.h>
#include <stdlib.h>

/* A line takes some 110 bytes: room for twenty million users. */
#define HEADS_FILE_MAX ((size_t)2 << 30)
/* How the trail of no user is named. */
#define NOBODY "nobody"

const CliOption audit_verify_options[] = {
    {"user", 0, CLI_TEXT, offsetof(AuditVerifyOptions, user), .value = "ID|EMAIL",
     .help = "Only this user's trail."},
    {"heads", 0, CLI_TEXT, offsetof(AuditVerifyOptions, heads), .value = "FILE",
     .help = "Compare with the heads in FILE, if it is there, and then, if all holds, write the "
             "present ones to it."},
    {0},
};

static const char *name_user(const Uuid *user_id, char text[UUID_TEXT_SIZE]) {
    if (uuid_is_nil(user_id)) {
        return NOBODY;
    }
    uuid_text(user_id, text);
    return text;
}

static bool parse_head(Str line, AuditHead *ret_head) {
    AuditHead head = {0};
    uint64_t seq = 0;
    Str user, number, mac;

    if (!str_next_token(&line, " ", &user) || !str_next_token(&line, " ", &number) ||
        !str_next_token(&line, " ", &mac) || line.len > 0 ||
        (!str_equal(user, str_lit(NOBODY)) && uuid_parse(user, &head.user_id) < 0) ||
        str_to_u64(number, &seq) < 0 || seq == 0 || seq > INT64_MAX ||
        mac.len != 2 * sizeof(head.mac) || hex_decode(mac, head.mac, sizeof(head.mac)) < 0) {
        return false;
    }
    head.seq = (int64_t)seq;
    *ret_head = head;
    return true;
}

static int compare(const void *a, const void *b) {
    const AuditHead *left = a, *right = b;

    return memcmp(left->user_id.bytes, right->user_id.bytes, sizeof(left->user_id.bytes));
}

static int parse_heads(const char *path, Str text, Arena *arena, AuditCheck *check) {
    AuditHead *heads;
    size_t n_lines = 1, n = 0, at = 0;
    Str line;

    for (size_t i = 0; i < text.len; i++) {
        n_lines += text.ptr[i] == '\n';
    }
    heads = arena_alloc(arena, n_lines * sizeof(*heads));
    while (str_next_token(&text, "\n", &line)) {
        at++;
        if (line.len == 0 || line.ptr[0] == '#') {
            continue;
        }
        if (!parse_head(line, &heads[n++])) {
            return cli_no_start("%s: line %zu is no head", path, at);
        }
    }
    qsort(heads, n, sizeof(*heads), compare);
    check->kept = heads;
    check->n_kept = n;
    return EXIT_OK;
}

static int read_heads(const char *path, Arena *arena, AuditCheck *check) {
    _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_(buf_done) Buf text = BUF_INIT;
    int r = 0;

    if (fd < 0 && errno == ENOENT) {
        return EXIT_OK;
    }
    if (fd < 0 || (r = fd_read_to_end(fd, HEADS_FILE_MAX, &text)) < 0) {
        return cli_no_start("cannot read %s: %s", path, strerror(r < 0 ? -r : errno));
    }
    return parse_heads(path, buf_str(&text), arena, check);
}

static int write_heads(const char *path, const AuditResult *result) {
    _cleanup_(fd_closep) int fd = -1;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    int r;

    buf_addf(&text, "# The ends of the audit trails: user, number of the last row, its mac.\n");
    for (size_t i = 0; i < result->n_heads; i++) {
        const AuditHead *head = &result->heads[i];
        char user[UUID_TEXT_SIZE], mac[2 * VAULT_HASH_LEN + 1];
        hex_encode((Str){(const char *)head->mac, sizeof(head->mac)}, mac);
        buf_addf(&text, "%s %lld %s\n", name_user(&head->user_id, user), (long long)head->seq, mac);
    }
    r = fd_memory_new("heads", &fd);
    if (r == 0) {
        r = fd_write_all(fd, text.data, text.len);
    }
    if (r == 0) {
        r = file_write(path, fd, text.len, true);
    }
    return r == 0 ? EXIT_OK : cli_no_start("cannot write %s: %s", path, strerror(-r));
}

static void print_finding(AuditFinding finding, const Uuid *user_id, int64_t seq, void *userdata) {
    char user[UUID_TEXT_SIZE];
    const char *name = name_user(user_id, user);

    (void)userdata;
    switch (finding) {
    case AUDIT_FINDING_BROKEN:
        printf("%s: row %lld is wrong: it was changed, or one before it is missing\n", name,
               (long long)seq);
        break;
    case AUDIT_FINDING_MISSING:
        printf("%s: there is an account without a single row\n", name);
        break;
    case AUDIT_FINDING_CUT:
        printf("%s: rows after %lld are missing\n", name, (long long)seq);
        break;
    case AUDIT_FINDING_OTHER:
        printf("%s: row %lld is another than the head that was kept\n", name, (long long)seq);
        break;
    }
}

static int verify(const CliCall *call, AuditCheck *check) {
    const AuditVerifyOptions *options = call->options;
    AuditResult result;
    int r, status = options->heads ? read_heads(options->heads, call->arena, check) : EXIT_OK;

    if (status != EXIT_OK) {
        return status;
    }
    r = audit_check(check, call->arena, &result);
    if (r < 0) {
        return cli_no_start("the trails cannot be read: %s", strerrordesc_np(-r));
    }
    printf("%llu rows of %llu trails hold", (unsigned long long)result.n_rows,
           (unsigned long long)result.n_trails);
    if (result.n_wrong > 0) {
        printf("; %llu trails are wrong.\n", (unsigned long long)result.n_wrong);
        return EXIT_SOME_FAILED;
    }
    puts(".");
    return options->heads && !check->only ? write_heads(options->heads, &result) : EXIT_OK;
}

int audit_verify_command(const CliCall *call) {
    const AuditVerifyOptions *options = call->options;
    _cleanup_(key_access_done) KeyAccess access = {0};
    AuditCheck check = {.found = print_finding};
    const char *error = "";
    Uuid user;
    int status;

    if (key_access_start(call->settings, call->arena, &access, &error) < 0) {
        return cli_no_start("%s", error);
    }
    check.db = access.db;
    check.vault = access.vault;
    if (options->user) {
        status = user_argument_read(call, &access, "--user", options->user, &user);
        if (status != EXIT_OK) {
            return status;
        }
        check.only = &user;
    }
    return verify(call, &check);
}
