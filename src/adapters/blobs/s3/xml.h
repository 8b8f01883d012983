/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What S3 answers in XML, with libxml2: no network, no document type, no entities but XML's own.
 * Thread-safe after s3_xml_init(). Faults are -EBADMSG: not that document.
 */

#include "base/arena.h"

void s3_xml_init(void);

/* The code of an <Error>, in the arena; NULL when it is none. */
const char *s3_xml_error(Str xml, Arena *arena);

/* The text of the root's first child of that name, in the arena. */
int s3_xml_text(Str xml, const char *root, const char *name, Arena *arena, const char **ret_text);

/* An element's child by name: its text in the arena; "" when there is none. */
typedef struct S3XmlRow {
    const char *key, *upload, *size, *changed;
} S3XmlRow;

/* The root's children of the name `row`; whether <IsTruncated> is true. */
int s3_xml_rows(Str xml, const char *root, const char *row, Arena *arena, S3XmlRow **ret_rows,
                size_t *ret_n, bool *ret_truncated);
