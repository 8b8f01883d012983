/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The settings of the user service, with their names, defaults and bounds in one table. */

#include "base/config.h"

typedef struct UserSettings {
    const char
        *public_url; /* "" until app has worked it out from the address that is listened on */
    bool registration;
    uint64_t session_days, session_idle_days;
    uint64_t fresh_minutes;
    uint64_t mail_token_minutes;
    uint64_t password_ops, password_memory_mib, password_parallel;
    uint64_t password_length_min;
    const char *breached_passwords;
    uint64_t attempts_per_address;
    uint64_t welcome_credits;
    uint64_t reservation_s;
    uint64_t audit_keep_days;
    const char *oidc_clients, *issuers, *agreements;
    uint64_t access_token_minutes, refresh_token_days, signing_key_days;
    bool cli_client;
    uint64_t device_code_s, device_poll_s;
    uint64_t housekeeping_s;
    uint64_t erasure_grace_days, export_keep_days;
} UserSettings;

extern const ConfigField user_settings_fields[];
