/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* `imagesync audit verify`. */

#include "app/cli.h"

typedef struct AuditVerifyOptions {
    const char *user, *heads;
} AuditVerifyOptions;

extern const CliOption audit_verify_options[];

int audit_verify_command(const CliCall *call);
