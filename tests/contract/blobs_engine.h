/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The store that the suite runs on, by its URL: folder:PATH, which is made and removed again, or
 * s3:http(s)://HOST:PORT/BUCKET/PREFIX, below which nothing is yet, with the keys of
 * AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the authorities of AWS_CA_BUNDLE, and a time-out of
 * BLOBS_TIMEOUT_MS.
 */

#include "core/ports/blobs.h"

int blobs_engine_open(const char *url, Blobs **ret_blobs);
void blobs_engine_close(Blobs *blobs);
const char *blobs_engine_id(void);
/* Opens it a second time, as by a server that knows it by `id`, and closes it. */
int blobs_engine_reopen(const char *id, const char **reterr);
/* As if its disk were not mounted, or its bucket another one. */
void blobs_engine_hide_marker(bool hide);
