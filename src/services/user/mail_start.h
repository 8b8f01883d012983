/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What begins with an address alone: {"email"} is read, checked and counted, and a mail is sent
 * by `send`. Always 202, whoever has the address or not. */

#include "services/user/call.h"

UserFailure mail_start(UserCall *call, int (*send)(UserService *service, const char *email),
                       json_t **ret_body);

/* The form of an address, in its canonical form. */
UserFailure mail_start_address(UserCall *call, const char *text, const char **ret_email);

/* What a link that is no longer good is answered with. */
UserFailure mail_link_stale(UserCall *call);
