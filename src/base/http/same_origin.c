/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/same_origin.h"

bool same_origin_is_host(const char *origin, const char *host) {
    const Str schemes[] = {str_lit("http://"), str_lit("https://")};
    Str text = str_from(origin);

    for (size_t i = 0; host && i < ARRAY_LEN(schemes); i++) {
        if (str_starts_with(text, schemes[i])) {
            return str_equal_nocase((Str){text.ptr + schemes[i].len, text.len - schemes[i].len},
                                    str_from(host));
        }
    }
    return false;
}

bool same_origin_is_told(HttpRequest *request) {
    return http_request_header(request, "Sec-Fetch-Site") || http_request_header(request, "Origin");
}

bool same_origin_request(HttpRequest *request, const char *public_url) {
    const char *site = http_request_header(request, "Sec-Fetch-Site");
    const char *origin = http_request_header(request, "Origin");

    if (site && strcmp(site, "same-origin") != 0) {
        return false;
    }
    return !origin || same_origin_is_host(origin, http_request_header(request, "Host")) ||
           (public_url && str_equal_nocase(str_from(origin), str_from(public_url)));
}
