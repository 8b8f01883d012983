/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/raw_info.h"

const JsonField raw_info_fields[] = {
    {"width", JSON_FIELD_U32, offsetof(RawInfo, width), true, .max = RAW_SIDE_MAX},
    {"height", JSON_FIELD_U32, offsetof(RawInfo, height), true, .max = RAW_SIDE_MAX},
    {"preview_offset", JSON_FIELD_U64, offsetof(RawInfo, preview_offset), true},
    {"preview_len", JSON_FIELD_U64, offsetof(RawInfo, preview_len), true},
    {0},
};
