/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/db/postgres/values.h"

#include "base/error.h"

#include <limits.h>

/* From PostgreSQL's pg_type.dat; these never change. */
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_VARCHAR = 1043,
};

bool values_accept(Oid type) {
    switch (type) {
    case OID_BOOL:
    case OID_BYTEA:
    case OID_INT8:
    case OID_INT2:
    case OID_INT4:
    case OID_TEXT:
    case OID_VARCHAR:
        return true;
    default:
        return false;
    }
}

static int encode_integer(Oid type, int64_t value, char *bytes, int *ret_len) {
    int len = type == OID_INT8 ? 8 : type == OID_INT4 ? 4 : type == OID_INT2 ? 2 : 0;

    if (type == OID_BOOL) {
        if (value != 0 && value != 1) {
            return -EINVAL;
        }
        len = 1;
    }
    if (len == 0 || (len == 4 && (value < INT32_MIN || value > INT32_MAX)) ||
        (len == 2 && (value < INT16_MIN || value > INT16_MAX))) {
        return -EINVAL;
    }
    for (int i = 0; i < len; i++) {
        bytes[i] = (char)((uint64_t)value >> (8 * (len - 1 - i)));
    }
    *ret_len = len;
    return 0;
}

static int encode_bytes(Oid type, const DbValue *value) {
    bool text = value->type == DB_TYPE_TEXT;

    if (value->bytes.len > INT_MAX) {
        return -EINVAL;
    }
    if (text && value->bytes.len > 0 && memchr(value->bytes.ptr, '\0', value->bytes.len)) {
        return -EINVAL;
    }
    return text ? (type == OID_TEXT || type == OID_VARCHAR ? 0 : -EINVAL)
                : (type == OID_BYTEA ? 0 : -EINVAL);
}

int params_encode(const Oid *types, unsigned n, const DbValue *values, Params *ret_params) {
    for (unsigned i = 0; i < n; i++) {
        ret_params->formats[i] = 1;
        ret_params->values[i] = NULL;
        ret_params->lengths[i] = 0;
        if (values[i].type == DB_TYPE_NULL) {
            continue;
        }
        if (values[i].type == DB_TYPE_INT) {
            if (encode_integer(types[i], values[i].integer, ret_params->integers[i],
                               &ret_params->lengths[i]) < 0) {
                return -EINVAL;
            }
            ret_params->values[i] = ret_params->integers[i];
            continue;
        }
        if (encode_bytes(types[i], &values[i]) < 0) {
            return -EINVAL;
        }
        /* libpq reads a NULL pointer as the NULL of SQL. */
        ret_params->values[i] = values[i].bytes.len > 0 ? values[i].bytes.ptr : "";
        ret_params->lengths[i] = (int)values[i].bytes.len;
    }
    return 0;
}

static int decode_integer(const unsigned char *bytes, int len, int64_t *ret_value) {
    uint64_t value = len > 1 && bytes[0] & 0x80 ? UINT64_MAX : 0;

    if (len != 1 && len != 2 && len != 4 && len != 8) {
        return -EBADMSG;
    }
    for (int i = 0; i < len; i++) {
        value = value << 8 | bytes[i];
    }
    *ret_value = (int64_t)value;
    return 0;
}

static int decode_value(const PGresult *result, int row, int column, Arena *arena,
                        DbValue *ret_value) {
    int len = PQgetlength(result, row, column);
    const char *bytes = PQgetvalue(result, row, column);

    if (PQgetisnull(result, row, column)) {
        *ret_value = DB_NULL;
        return 0;
    }
    switch (PQftype(result, column)) {
    case OID_BOOL:
    case OID_INT8:
    case OID_INT4:
    case OID_INT2:
        *ret_value = DB_INT(0);
        return decode_integer((const unsigned char *)bytes, len, &ret_value->integer);
    case OID_TEXT:
    case OID_VARCHAR:
        *ret_value = DB_TEXT(((Str){arena_strdup(arena, (Str){bytes, (size_t)len}), (size_t)len}));
        return 0;
    case OID_BYTEA:
        *ret_value = DB_BLOB(((Str){arena_strdup(arena, (Str){bytes, (size_t)len}), (size_t)len}));
        return 0;
    default:
        return -EBADMSG;
    }
}

int values_decode(const PGresult *result, size_t rows_max, Arena *arena, DbRows *ret_rows) {
    size_t n_rows = (size_t)PQntuples(result), n_columns = (size_t)PQnfields(result);
    DbValue *values;

    if (n_rows > rows_max) {
        return -E2BIG;
    }
    values = arena_alloc(arena, n_rows * n_columns * sizeof(*values));
    for (size_t row = 0; row < n_rows; row++) {
        for (size_t column = 0; column < n_columns; column++) {
            int r = decode_value(result, (int)row, (int)column, arena,
                                 &values[row * n_columns + column]);
            if (r < 0) {
                return err_trace(r);
            }
        }
    }
    *ret_rows = (DbRows){n_rows, (unsigned)n_columns, values};
    return 0;
}
