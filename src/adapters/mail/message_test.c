/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/mail/message.h"

#include "base/test.h"

#include <errno.h>

static const MailSender sender = {"Image Sync", "no-reply@example.org"};

static void write_message(const char *subject, const char *text, Buf *out) {
    buf_done(out);
    assert_int_equal(
        mail_message_write(&sender, &(MailMessage){"ann@example.org", subject, text}, out), 0);
}

static void has(const Buf *message, const char *part) {
    if (!strstr(message->data, part)) {
        fail_msg("no \"%s\" in:\n%s", part, message->data);
    }
}

static void writes_what_is_plain_as_it_is(void **state) {
    _cleanup_(buf_done) Buf out = BUF_INIT;

    (void)state;
    write_message("Welcome", "Hello,\n\thttps://x.example/?a=b\r\nlast", &out);
    has(&out, "From: \"Image Sync\" <no-reply@example.org>\r\n");
    has(&out, "To: ann@example.org\r\n");
    has(&out, "Subject: Welcome\r\n");
    has(&out, "@example.org>\r\n");
    has(&out, " +0000\r\n");
    has(&out, "Content-Transfer-Encoding: 7bit\r\n\r\n"
              "Hello,\r\n\thttps://x.example/?a=b\r\nlast\r\n");
}

static void encodes_the_rest(void **state) {
    _cleanup_(buf_done) Buf out = BUF_INIT, text = BUF_INIT;

    (void)state;
    write_message("Gr\xc3\xb6\xc3\x9f"
                  "e =?x?",
                  "\xc3\xb6 = 1 \nx", &out);
    has(&out, "Subject: =?UTF-8?Q?Gr=C3=B6=C3=9Fe_=3D=3Fx=3F?=\r\n");
    has(&out, "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=B6 =3D 1=20\r\nx\r\n");
    /* No line is longer than 78 and no character is cut in two. */
    for (int i = 0; i < 60; i++) {
        buf_add_str(&text, str_lit("\xe2\x82\xac"
                                   "a"));
    }
    write_message(text.data, text.data, &out);
    for (char *line = out.data, *end; (end = strstr(line, "\r\n")); line = end + 2) {
        assert_in_range(end - line, 0, 78);
    }
    has(&out, "?=\r\n =?UTF-8?Q?=E2=82=AC");
    assert_null(strstr(out.data, "=E2?="));
    assert_null(strstr(out.data, "=E2=82?="));
}

static void nothing_becomes_a_header(void **state) {
    static const char *const addresses[] = {
        "",      "ann",     "@example.org", "ann@",    "a@b@c",   "a@b\r\nBcc: c@d", "a@b\nX: y",
        "a b@c", "a@b,c@d", "<a@b>",        "\"a\"@b", "a@b\x7f", "a@\xff",
    };
    static const char *const subjects[] = {"a\r\nBcc: x@y", "a\nb", "a\rb", "a\tb", "\xff"};
    _cleanup_(buf_done) Buf out = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        MailMessage message = {addresses[i], "s", "t"};
        assert_int_equal(mail_message_write(&sender, &message, &out), MAIL_E_REFUSED);
    }
    for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
        MailMessage message = {"a@b", subjects[i], "t"};
        assert_int_equal(mail_message_write(&sender, &message, &out), MAIL_E_REFUSED);
    }
    assert_int_equal(mail_message_write(&sender, &(MailMessage){"a@b", "s", "\xc3"}, &out),
                     MAIL_E_REFUSED);
    assert_int_equal(out.len, 0);
}

static void reads_who_it_is_from(void **state) {
    static const char *const broken[] = {"",         "Name",       "Name <a@b", "Name <a>",
                                         "a@b, c@d", "N\nX <a@b>", "<a@b> N"};
    _cleanup_(arena_freep) Arena *arena = arena_new();
    MailSender from;

    (void)state;
    assert_int_equal(mail_sender_parse(" no-reply@example.org ", arena, &from), 0);
    assert_string_equal(from.name, "");
    assert_string_equal(from.address, "no-reply@example.org");
    assert_int_equal(mail_sender_parse("J\xc3\xb6rg & Co <a@b>", arena, &from), 0);
    assert_string_equal(from.name, "J\xc3\xb6rg & Co");
    assert_string_equal(from.address, "a@b");
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        assert_int_equal(mail_sender_parse(broken[i], arena, &from), -EINVAL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_is_plain_as_it_is),
        cmocka_unit_test(encodes_the_rest),
        cmocka_unit_test(nothing_becomes_a_header),
        cmocka_unit_test(reads_who_it_is_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
