/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/blobs/s3/xml.h"

#include "base/error.h"
#include "base/test.h"

#define NS "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

static void an_error_has_a_code(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();

    (void)state;
    assert_string_equal(s3_xml_error(str_lit("<?xml version=\"1.0\"?>\n<Error><Code>SlowDown</Code>"
                                             "<Message>no</Message></Error>"),
                                     arena),
                        "SlowDown");
    assert_string_equal(s3_xml_error(str_lit("<Error/>"), arena), "");
    assert_null(s3_xml_error(str_lit("<Other><Code>SlowDown</Code></Other>"), arena));
    assert_null(s3_xml_error(str_lit("<Error><Code>SlowDown</Code>"), arena)); /* cut */
    assert_null(s3_xml_error(str_lit("<html>502 <b>Bad gateway"), arena));
    assert_null(s3_xml_error((Str){0}, arena));
}

static void rows_are_read(void **state) {
    static const char text[] =
        "<ListBucketResult " NS "><IsTruncated>true</IsTruncated><Name>b</Name>"
        "<Contents><Key>a/x</Key><Size>7</Size><LastModified>2026-11-29T17:01:50Z</LastModified>"
        "</Contents><CommonPrefixes><Key>no</Key></CommonPrefixes>\n"
        "<Contents><Size>8</Size><Key>a&amp;b&#x2F;</Key></Contents></ListBucketResult>";
    _cleanup_(arena_freep) Arena *arena = arena_new();
    S3XmlRow *rows;
    bool more;
    size_t n;

    (void)state;
    assert_int_equal(
        s3_xml_rows(str_from(text), "ListBucketResult", "Contents", arena, &rows, &n, &more), 0);
    assert_int_equal(n, 2);
    assert_true(more);
    assert_string_equal(rows[0].key, "a/x");
    assert_string_equal(rows[0].size, "7");
    assert_string_equal(rows[0].changed, "2026-11-29T17:01:50Z");
    assert_string_equal(rows[1].key, "a&b/");
    assert_string_equal(rows[1].changed, "");
    assert_int_equal(s3_xml_rows(str_from(text), "Other", "Contents", arena, &rows, &n, &more),
                     -EBADMSG);
}

static void a_text_is_read(void **state) {
    static const Str text = str_lit("<InitiateMultipartUploadResult " NS "><Bucket>b</Bucket>"
                                    "<UploadId>u1</UploadId></InitiateMultipartUploadResult>");
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *id;

    (void)state;
    assert_int_equal(s3_xml_text(text, "InitiateMultipartUploadResult", "UploadId", arena, &id), 0);
    assert_string_equal(id, "u1");
    assert_int_equal(s3_xml_text(text, "InitiateMultipartUploadResult", "Nothing", arena, &id),
                     -EBADMSG);
}

/* Files read and memory filled by entities: documents that bring their own are none. */
static void entities_are_refused(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();

    (void)state;
    assert_null(s3_xml_error(str_lit("<!DOCTYPE Error [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>"
                                     "<Error><Code>&x;</Code></Error>"),
                             arena));
    assert_null(s3_xml_error(str_lit("<!DOCTYPE Error [<!ENTITY a \"xxxxxxxxxx\">"
                                     "<!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]>"
                                     "<Error><Code>&b;</Code></Error>"),
                             arena));
    assert_null(s3_xml_error(str_lit("<!DOCTYPE Error SYSTEM \"http://127.0.0.1:1/x.dtd\">"
                                     "<Error><Code>x</Code></Error>"),
                             arena));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_has_a_code),
        cmocka_unit_test(rows_are_read),
        cmocka_unit_test(a_text_is_read),
        cmocka_unit_test(entities_are_refused),
    };

    s3_xml_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
