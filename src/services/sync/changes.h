/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The log of a library as devices are told it: what has changed since they last looked. */

#include "services/sync/objects.h"

#define CHANGES_MAX 1000 /* of a page; the most that event_log_read() gives */

enum {
    CHANGES_E_CURSOR = 1, /* what was there is not known any more, or never was: read all anew */
};

typedef struct ChangePage {
    json_t *changes; /* an array of change_json(), a new reference */
    int64_t next;    /* to go on from */
    bool more;
    int64_t horizon;
} ChangePage;

/*
 * The changes after `since`, at most `max` (1..CHANGES_MAX) and, but for the first, a few
 * megabytes; of several of one object the last. 0; CHANGES_E_CURSOR, with the page's horizon; or a
 * fault.
 */
int changes_read(DbTx *tx, const Library *library, int64_t since, size_t max, ChangePage *ret_page);

/*
 * What an event comes to, as object_json(). One whose state does not open does not keep the others
 * from being told: it has "unreadable": true instead, and is logged.
 */
json_t *change_json(const Library *library, const Event *event);
