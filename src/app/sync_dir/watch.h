/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tells when something may have changed in folders (inotify). What exactly is not kept: whoever is
 * told walks through them again, so an overflow of the kernel's queue loses nothing.
 */

#include <stdbool.h>

typedef struct Watch {
    int fd;        /* readable when something happened; -1: there is no watching */
    bool is_whole; /* false: some folder could not be watched; look again by time */
} Watch;

void watch_start(Watch *watch);
void watch_done(Watch *watch);

/* The folder; more than once does no harm. */
void watch_add(Watch *watch, int dir_fd);

/* Whether anything has happened since watch_take(). */
bool watch_has_news(const Watch *watch);
/* Forgets what has happened; whether anything has. */
bool watch_take(Watch *watch);
