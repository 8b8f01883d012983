/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/zone.h"

#include "base/fd.h"
#include "services/user/text.h"

#include <fcntl.h>
#include <unistd.h>

#define ZONES "/usr/share/zoneinfo"

/* What lies in that folder beside the zones: copies of them counted in other ways. */
static bool is_copy(const char *name) {
    return str_starts_with(str_from(name), str_lit("posix/")) ||
           str_starts_with(str_from(name), str_lit("right/")) || strcmp(name, "posixrules") == 0 ||
           strcmp(name, "localtime") == 0;
}

/* RFC 8536 3.1: such a file begins with a magic number. */
static bool is_zone_file(int folder, const char *name) {
    _cleanup_(fd_closep) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char magic[4];

    return fd >= 0 && read(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) &&
           memcmp(magic, "TZif", sizeof(magic)) == 0;
}

bool zone_is_known(const char *name) {
    _cleanup_(fd_closep) int folder = -1;

    if (!text_is_zone(name) || is_copy(name)) {
        return false;
    }
    if (!name[0]) {
        return true;
    }
    folder = open(ZONES, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return folder < 0 || is_zone_file(folder, name);
}
