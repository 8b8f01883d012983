/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "app/settings.h"

/*
 * Deletes what this process has kept in the data folder for longer than the settings say: mails in
 * the folder of .eml files (mail-keep-days) and feedback uploads (improve-keep-days). Their age is
 * that of the file or the upload's folder. What cannot be deleted is logged and tried again next
 * time; other files are left alone.
 */
void retention_sweep(const Settings *settings);

/* How often it is due. */
#define RETENTION_PERIOD_MS (3600 * 1000ull)
