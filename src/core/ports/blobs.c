/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ports/blobs.h"

bool blob_name_is_good(Str name) {
    char before = '/';

    if (name.len == 0 || name.len > BLOB_NAME_LEN_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        if (!word && (c != '/' || before == '/')) {
            return false;
        }
        before = c;
    }
    return before != '/';
}
