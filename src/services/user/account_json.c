/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/account_json.h"

#include "services/user/text.h"
#include "services/user/zone.h"

static json_t *avatar_json(const Account *account) {
    char url[64];

    if (account->avatar_version == 0) {
        return json_null();
    }
    snprintf(url, sizeof(url), "/v1/me/avatar?version=%lld", (long long)account->avatar_version);
    return json_pack("{s:s,s:I}", "url", url, "version", (json_int_t)account->avatar_version);
}

json_t *account_json(const Account *account) {
    char id[UUID_TEXT_SIZE];
    json_t *json;

    uuid_text(&account->key.user_id, id);
    json = json_pack(
        "{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:b,s:b,s:o,s:I}", "id", id, "email", account->email, "name",
        account->profile.name, "locale", account->profile.locale, "zone", account->profile.zone,
        "role", account_role_names[account->role], "status", account_status_names[account->status],
        "password", account->password != NULL, "totp", account->totp.len > 0, "avatar",
        avatar_json(account), "created", (json_int_t)(account->created_us / 1000000));
    if (account->erase_us != 0) {
        json_object_set_new(json, "erase", json_integer(account->erase_us / 1000000));
    }
    return json;
}

UserFailure account_check_profile(UserCall *call, const Profile *profile) {
    if (!text_is_plain(profile->name, PROFILE_NAME_MAX)) {
        call->detail = "name: has characters that cannot be seen.";
    } else if (!text_is_locale(profile->locale)) {
        call->detail = "locale: not a language tag such as en or de-CH.";
    } else if (!zone_is_known(profile->zone)) {
        call->detail = "zone: not a time zone such as Europe/Zurich.";
    } else {
        return USER_FAILURE_NONE;
    }
    return USER_FAILURE_INVALID_FIELD;
}
