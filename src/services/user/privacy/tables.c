/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/privacy/tables.h"

#include "base/error.h"

#define TABLE(name)                                                                                \
    {                                                                                              \
        name, {                                                                                    \
            "erase_" name, "DELETE FROM " name " WHERE user_id = ?", 1, 0                          \
        }                                                                                          \
    }

const PrivacyTable privacy_tables[] = {
    TABLE("user_account"),
    TABLE("user_email"),
    TABLE("user_mail_token"),
    TABLE("user_session"),
    TABLE("user_recovery_code"),
    TABLE("user_api_key"),
    TABLE("user_credit"),
    TABLE("user_reservation"),
    TABLE("user_audit"),
    TABLE("user_audit_anchor"),
    TABLE("user_grant"),
    TABLE("user_client_consent"),
    TABLE("user_passkey"),
    TABLE("user_passkey_challenge"),
    TABLE("user_identity_owner"),
    TABLE("user_identity"),
    TABLE("user_device_request"),
    TABLE("user_erasure"),
    TABLE("user_export"),
    TABLE("user_export_part"),
    TABLE("user_consent"),
    TABLE("user_avatar"),
    /* Nobody's own: jobs of all services. One under way ends with nothing to settle. */
    TABLE("queue_job"),
    TABLE("queue_payload"),
    TABLE("queue_outbox"),
    TABLE("sync_object"),
    TABLE("sync_mutation"),
    TABLE("sync_content"),
    TABLE("sync_blob"),
    TABLE("sync_upload"),
    TABLE("sync_usage"),
    TABLE("sync_photo"),
    TABLE("sync_ingest"),
    TABLE("sync_term"),
    TABLE("sync_edit"),
    TABLE("sync_share"),
    TABLE("sync_library"),
    TABLE("sync_device"),
    TABLE("event"),
    TABLE("event_head"),
    TABLE("event_outbox"),
    TABLE("event_relayed"),
    /* Without it nothing of the others can be read: the last. */
    TABLE("user_key"),
};
const size_t privacy_tables_len = ARRAY_LEN(privacy_tables);
_Static_assert(ARRAY_LEN(privacy_tables) <= PRIVACY_TABLES_MAX, "counts have room");

int privacy_tables_check(Db *db, const char **reterr_name) {
    for (size_t i = 0; i < privacy_tables_len; i++) {
        int r = db_check(db, &privacy_tables[i].erase, 1, reterr_name);
        if (r < 0) {
            return err_trace(r);
        }
    }
    return 0;
}

int privacy_tables_erase(DbTx *tx, const Uuid *user_id, uint64_t ret_n_rows[PRIVACY_TABLES_MAX]) {
    const DbValue id = DB_BLOB(uuid_str(user_id));

    for (size_t i = 0; i < privacy_tables_len; i++) {
        int r = db_exec(tx, &privacy_tables[i].erase, &id, &ret_n_rows[i]);
        if (r != 0) {
            return err_trace(r < 0 ? r : -EIO);
        }
    }
    return 0;
}
