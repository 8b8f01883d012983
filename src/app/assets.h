/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The files of the web page and the API's description, inside the binary. tools/embed.py writes
 * the table when it is built.
 */

#include <stddef.h>

typedef struct Asset {
    const char *path;         /* as requested: "/", "/account", "/app.js", "/openapi.yaml" */
    const char *content_type; /* with its charset */
    const unsigned char *bytes;
    size_t len;
    const char *etag; /* strong and quoted, as the header wants it */
} Asset;

/* All of them, in a fixed order; ends with path NULL. */
extern const Asset assets[];

/* The asset that is served under exactly this path, or NULL. */
const Asset *asset_find(const char *path);

/* What the page needs: its own files, and pictures that it holds itself. */
#define ASSET_CONTENT_SECURITY_POLICY                                                              \
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "         \
    "form-action 'none'; frame-ancestors 'none'"
