/* SPDX-License-Identifier: Apache-2.0 */
#include "services/user/settings.h"

#define AT(member) offsetof(UserSettings, member)

const ConfigField user_settings_fields[] = {
    {"public-url", CONFIG_STR, AT(public_url), "", 0, 200, NULL,
     "the address under which people reach this server, such as https://photos.example.com: what "
     "links in mails begin with, and the site that passkeys are made for; default: http:// and "
     "what "
     "is listened on"},
    {"registration", CONFIG_BOOL, AT(registration), "yes", 0, 0, NULL,
     "whether anyone may open an account"},
    {"session-days", CONFIG_U64, AT(session_days), "90", 1, 3650, "d",
     "how long somebody stays signed in at most"},
    {"session-idle-days", CONFIG_U64, AT(session_idle_days), "30", 1, 3650, "d",
     "how long somebody stays signed in without coming back"},
    {"fresh-minutes", CONFIG_U64, AT(fresh_minutes), "15", 1, 1440, "min",
     "how long after signing in password, address and keys may be changed without another proof"},
    {"mail-token-minutes", CONFIG_U64, AT(mail_token_minutes), "60", 5, 10080, "min",
     "how long a link in a mail is good"},
    /* OWASP's Password Storage Cheat Sheet: Argon2id with 19 MiB and 2 passes at least. */
    {"password-ops", CONFIG_U64, AT(password_ops), "2", 1, 20, NULL, "Argon2id passes"},
    {"password-memory-mib", CONFIG_U64, AT(password_memory_mib), "32", 8, 4096, "MiB",
     "memory of one Argon2id hash"},
    {"password-parallel", CONFIG_U64, AT(password_parallel), "2", 1, 256, NULL,
     "hashes at the same time; others wait"},
    {"password-length-min", CONFIG_U64, AT(password_length_min), "10", 8, 64, NULL,
     "characters that a password has at least"},
    {"breached-passwords", CONFIG_STR, AT(breached_passwords), "", 0, 0, NULL,
     "a file of passwords that became public and may not be chosen: SHA-1 hashes sorted by hash, a "
     "line each, as Have I Been Pwned publishes them; it is searched, not loaded"},
    {"attempts-per-address", CONFIG_U64, AT(attempts_per_address), "50", 1, 1000000, NULL,
     "attempts to sign in or to be sent mail that one network address (of IPv6, one /64) has free "
     "an hour; after these each has to wait"},
    {"welcome-credits", CONFIG_U64, AT(welcome_credits), "0", 0, 1000000, NULL,
     "credits that a new account begins with"},
    {"reservation-s", CONFIG_U64, AT(reservation_s), "600", 1, 86400, "s",
     "how long credits stay set aside for work that never ended, as when its server died; longer "
     "than a picture may take (job-timeout-s), else work that ends later may go uncharged"},
    {"oidc-clients", CONFIG_STR, AT(oidc_clients), "", 0, 0, NULL,
     "a JSON file of the programs that may ask people to sign in here by OpenID Connect; "
     "docs/guides/openid-connect.md says what is in it"},
    {"issuers", CONFIG_STR, AT(issuers), "", 0, 0, NULL,
     "a JSON file of the OpenID Connect providers of others that people may sign in with; "
     "docs/guides/sign-in-with-another-issuer.md says what is in it"},
    {"agreements", CONFIG_STR, AT(agreements), "", 0, 0, NULL,
     "a JSON file of the documents that people agree to, such as terms of service; "
     "docs/operations/privacy.md says what is in it"},
    {"access-token-minutes", CONFIG_U64, AT(access_token_minutes), "10", 1, 60, "min",
     "how long such a program's access token is good"},
    {"refresh-token-days", CONFIG_U64, AT(refresh_token_days), "30", 1, 3650, "d",
     "how long such a program keeps its access without using it, where it was allowed to"},
    {"signing-key-days", CONFIG_U64, AT(signing_key_days), "90", 2, 3650, "d",
     "how long a key signs tokens before the next one does"},
    {"cli-client", CONFIG_BOOL, AT(cli_client), "yes", 0, 0, NULL,
     "whether 'imagesync login' may sign people in here"},
    {"device-code-s", CONFIG_U64, AT(device_code_s), "600", 2, 3600, "s",
     "how long the code that a device shows is good"},
    {"device-poll-s", CONFIG_U64, AT(device_poll_s), "5", 1, 60, "s",
     "how long such a device waits before it asks again"},
    {"housekeeping-s", CONFIG_U64, AT(housekeeping_s), "300", 1, 86400, "s",
     "how long what is done in the background, such as erasing accounts whose time has come, waits "
     "for its turn at most"},
    {"export-keep-days", CONFIG_U64, AT(export_keep_days), "7", 1, 365, "d",
     "how long the copy of their data that somebody asked for can be downloaded"},
    {"erasure-grace-days", CONFIG_U64, AT(erasure_grace_days), "14", 0, 365, "d",
     "how long after its owner has asked for it an account is erased; signing in until then calls "
     "it "
     "off; 0: at once"},
    {"audit-keep-days", CONFIG_U64, AT(audit_keep_days), "400", 0, 36500, "d",
     "how long what audit trails say is kept; the last entry of each stays; 0: for ever"},
    {0},
};
