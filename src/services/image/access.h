/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who is calling. A key comes as `X-Api-Key` or `Authorization: Bearer`. The web page may be let in
 * without one, as the setting page-access says:
 *   auto  only from this machine, while the server listens on loopback only, and not when a proxy
 *         forwarded the request
 *   open  everyone
 *   key   nobody
 * Without a key a request must prove that it is not another site's doing: the header
 * `X-Requested-With: imagesync` (no other site's script may send it), a same-origin
 * `Sec-Fetch-Site` or `Origin` where the browser sends one, and a `Host` that is an address,
 * localhost or a configured name (a rebound DNS name is none of these).
 */

#include "services/image/failure.h"
#include "services/image/internal.h"

typedef struct Caller {
    Account *account;
    bool sandbox; /* the key was written with the prefix "sandbox_" */
} Caller;

/*
 * By a key that may have pictures cut out. A user's key (see access_may_wait()) is asked for at the
 * user service, so this waits; ret_caller->account is released with account_release().
 */
Failure access_by_key(ImageService *service, HttpRequest *request, bool sandbox_allowed,
                      Caller *ret_caller);

/* The same of a key that may see the balance. */
Failure access_for_balance(ImageService *service, HttpRequest *request, Caller *ret_caller);

/* Whether the key that was sent looks like a user's. */
bool access_may_wait(const ImageService *service, HttpRequest *request);

/* With a key or, where that is allowed, without. */
Failure access_for_page(ImageService *service, HttpRequest *request, Caller *ret_caller);

/* Whether this client would be let in without a key (its headers aside). */
bool access_page_is_open(ImageService *service, HttpRequest *request);

/* The rules behind it, for tests. `host` is a header's value. */
bool access_host_is_ours(const char *host, const char *page_hosts);
bool access_is_loopback(const char *address);
