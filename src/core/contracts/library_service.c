/* SPDX-License-Identifier: Apache-2.0 */
#include "core/contracts/library_service.h"

#define TEXT_OF(of, member) .type = JSON_FIELD_STR, .offset = offsetof(of, member)
#define U64_OF(of, member)  .type = JSON_FIELD_U64, .offset = offsetof(of, member)

const JsonField library_service_question_fields[] = {
    {.name = "user_id", TEXT_OF(LibraryServiceQuestion, user_id), .required = true},
    {.name = "at", TEXT_OF(LibraryServiceQuestion, at), .max = LIBRARY_SERVICE_AT_MAX},
    {.name = "offset", U64_OF(LibraryServiceQuestion, offset)},
    {.name = "len", U64_OF(LibraryServiceQuestion, len), .max = LIBRARY_SERVICE_LEN_MAX},
    {0},
};

const JsonField library_service_answer_fields[] = {
    {.name = "at",
     TEXT_OF(LibraryServiceAnswer, at),
     .required = true,
     .max = LIBRARY_SERVICE_AT_MAX},
    {.name = "name", TEXT_OF(LibraryServiceAnswer, name), .required = true},
    {.name = "text", TEXT_OF(LibraryServiceAnswer, text), .max = LIBRARY_SERVICE_TEXT_MAX},
    {.name = "at_s", U64_OF(LibraryServiceAnswer, at_s), .required = true},
    {.name = "size", U64_OF(LibraryServiceAnswer, size), .required = true},
    {0},
};
