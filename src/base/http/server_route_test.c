/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http/server_testing.h"

#define END " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"

typedef struct Case {
    const char *request, *says;
} Case;

static void check(void **state, const Case *cases, size_t n) {
    ServerFixture *fixture = server_testing_start(state, (HttpOptions){0});

    for (size_t i = 0; i < n; i++) {
        _cleanup_(buf_done) Buf request = BUF_INIT, reply = BUF_INIT;
        buf_addf(&request, "%s\r\n", cases[i].request);
        server_testing_ask(fixture, request.data, &reply);
        server_testing_says(&reply, cases[i].says);
    }
}

static void paths_may_have_names_in_them(void **state) {
    static const Case cases[] = {
        {"GET /things/7" END, "GET thing <7> cookie <none>."},
        {"PUT /things/a%20b%C3%B6%2Fc" END "Content-Length: 0\r\n",
         "PUT thing <a b\xc3\xb6/c> cookie"},
        {"PATCH /things/x+y" END "Content-Length: 2\r\n\r\n{}", "PATCH thing <x+y> cookie"},
        {"DELETE /things/all" END, "DELETE thing <all> cookie"},
        {"HEAD /things/7" END, "HTTP/1.1 200 OK\r\n"},
        {"GET /things/all" END, "all things."}, /* the literal one, though it comes later */
        {"GET /things/" END, "HTTP/1.1 404 Not Found\r\n"},
        {"GET /things/7/8" END, "HTTP/1.1 404 Not Found\r\n"},
        {"GET /things%2F7" END, "HTTP/1.1 404 Not Found\r\n"},
        {"GET /%74hings/7" END, "GET thing <7> cookie"},
        {"POST /things/7" END "Content-Length: 0\r\n", "HTTP/1.1 405 Method Not Allowed\r\n"},
        {"POST /things/7" END "Content-Length: 0\r\n", "Allow: GET, HEAD, PUT, PATCH, DELETE\r\n"},
    };

    check(state, cases, ARRAY_LEN(cases));
}

static void broken_addresses_are_refused(void **state) {
    static const Case cases[] = {
        {"GET /things/%zz" END, "HTTP/1.1 400 Bad Request\r\n"},
        {"GET /things/%00" END, "HTTP/1.1 400 Bad Request\r\n"},
        {"GET /things/a%0d%0ab" END, "HTTP/1.1 400 Bad Request\r\n"},
        {"GET /things/%c3" END, "broken percent escape"},
        {"GET /hello?name=%" END, "HTTP/1.1 400 Bad Request\r\n"},
        {"GET /hello?name=a%00b" END, "HTTP/1.1 400 Bad Request\r\n"},
        {"GET /v1/%c0%af" END, "refused: Bad request."}, /* in the words of the group */
        {"GET /hello?name=a%2Bb+c%26d%0a!&x" END, "hello a+b c&d\n! - from"},
    };

    check(state, cases, ARRAY_LEN(cases));
}

static void cookies_are_found(void **state) {
    static const Case cases[] = {
        {"GET /things/7" END "Cookie: session=abc\r\n", "cookie <abc>."},
        {"GET /things/7" END "Cookie: a=b; session=a=b==; session=second\r\n", "cookie <a=b==>."},
        {"GET /things/7" END "Cookie: a=b\r\nCookie: session=\r\n", "cookie <>."},
        {"GET /things/7" END "Cookie: Session=x; xsession=y; session; =z\r\n", "cookie <none>."},
        {"GET /things/7" END "Cookie: ;;=;\r\n", "cookie <none>."},
    };

    check(state, cases, ARRAY_LEN(cases));
}

static void a_reply_may_set_several_cookies_and_lead_on(void **state) {
    static const Case cases[] = {
        {"GET /sign-in" END, "HTTP/1.1 303 See Other\r\n"},
        {"GET /sign-in" END, "\r\nLocation: /hello?x\r\n"},
        {"GET /sign-in" END, "\r\nSet-Cookie: __Host-session=abc; Path=/; Max-Age=60; "
                             "SameSite=Strict; Secure; HttpOnly\r\n"},
        {"GET /sign-in" END, "\r\nSet-Cookie: old=; Path=/v1; Max-Age=0; SameSite=Lax\r\n"},
    };

    check(state, cases, ARRAY_LEN(cases));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(paths_may_have_names_in_them, server_testing_stop),
        cmocka_unit_test_teardown(broken_addresses_are_refused, server_testing_stop),
        cmocka_unit_test_teardown(cookies_are_found, server_testing_stop),
        cmocka_unit_test_teardown(a_reply_may_set_several_cookies_and_lead_on, server_testing_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
