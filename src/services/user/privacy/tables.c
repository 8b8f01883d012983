/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/privacy/tables.h"

#include "base/error.h"

static const ErasedTable tables[] = {
    ERASED_TABLE("user_account"),
    ERASED_TABLE("user_email"),
    ERASED_TABLE("user_mail_token"),
    ERASED_TABLE("user_session"),
    ERASED_TABLE("user_recovery_code"),
    ERASED_TABLE("user_api_key"),
    ERASED_TABLE("user_credit"),
    ERASED_TABLE("user_reservation"),
    ERASED_TABLE("user_audit"),
    ERASED_TABLE("user_audit_anchor"),
    ERASED_TABLE("user_grant"),
    ERASED_TABLE("user_client_consent"),
    ERASED_TABLE("user_passkey"),
    ERASED_TABLE("user_passkey_challenge"),
    ERASED_TABLE("user_identity_owner"),
    ERASED_TABLE("user_identity"),
    ERASED_TABLE("user_device_request"),
    ERASED_TABLE("user_erasure"),
    ERASED_TABLE("user_export"),
    ERASED_TABLE("user_export_part"),
    ERASED_TABLE("user_consent"),
    ERASED_TABLE("user_avatar"),
    /* Without it nothing of the others can be read: the last. */
    ERASED_TABLE("user_key"),
};

int privacy_tables_check(Db *db, const char **reterr_name) {
    return erased_tables_check(db, tables, ARRAY_LEN(tables), reterr_name);
}

int privacy_tables_erase(DbTx *tx, const Uuid *user_id, json_t *rows) {
    uint64_t n;
    bool more;
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_LEN(tables); i++) {
        r = erased_table_erase(tx, &tables[i], user_id, &n, &more);
        if (r == 0) {
            erased_rows_add(rows, tables[i].name, n);
        }
    }
    return err_trace(r);
}
