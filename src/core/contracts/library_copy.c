/* SPDX-License-Identifier: Apache-2.0 */
#include "core/contracts/library_copy.h"

#define TEXT_OF(of, member) .type = JSON_FIELD_STR, .offset = offsetof(of, member)
#define U64_OF(of, member)  .type = JSON_FIELD_U64, .offset = offsetof(of, member)

const JsonField library_copy_question_fields[] = {
    {.name = "user_id", TEXT_OF(LibraryCopyQuestion, user_id), .required = true},
    {.name = "at", TEXT_OF(LibraryCopyQuestion, at), .required = true, .max = LIBRARY_COPY_AT_MAX},
    {.name = "offset", U64_OF(LibraryCopyQuestion, offset)},
    {.name = "len", U64_OF(LibraryCopyQuestion, len), .max = LIBRARY_COPY_LEN_MAX},
    {0},
};

const JsonField library_copy_answer_fields[] = {
    {.name = "at", TEXT_OF(LibraryCopyAnswer, at), .required = true, .max = LIBRARY_COPY_AT_MAX},
    {.name = "name", TEXT_OF(LibraryCopyAnswer, name), .required = true},
    {.name = "text", TEXT_OF(LibraryCopyAnswer, text), .max = LIBRARY_COPY_TEXT_MAX},
    {.name = "at_s", U64_OF(LibraryCopyAnswer, at_s), .required = true},
    {.name = "size", U64_OF(LibraryCopyAnswer, size), .required = true},
    {0},
};
