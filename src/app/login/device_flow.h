/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Signing in without a browser of one's own (RFC 8628): shows a code and waits. */

#include "app/login/remote.h"

enum {
    DEVICE_FLOW_E_DENIED = 1,
    DEVICE_FLOW_E_EXPIRED,
    DEVICE_FLOW_E_TURNED_OFF, /* the server takes no command lines */
    DEVICE_FLOW_E_BUSY,       /* too many were asked for */
};

/*
 * Prints the code on standard output, with `open` shows the page in a browser, and asks until it is
 * decided. 0 or one of the above; -ENOTCONN or -EBADMSG with remote->error; -EINTR.
 */
int device_flow_run(Remote *remote, bool open, Credential *ret_credential);
