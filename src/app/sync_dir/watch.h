/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tells when something may have changed in folders (inotify). What exactly is not kept: whoever is
 * told walks through them again, so an overflow of the kernel's queue loses nothing.
 */

#include <stdbool.h>

typedef struct Watch {
    int fd;             /* readable when something happened; -1: there is no watching */
    int error;          /* not 0: some folder could not be watched; look again by time */
    const char *remedy; /* then what there is too little of: a setting of the kernel's, or NULL */
} Watch;

#define WATCH_INIT ((Watch){.fd = -1})

/* Before all folders are added, again or for the first time: what could not be had may be by now.
 */
void watch_begin(Watch *watch);
void watch_done(Watch *watch);

/* The folder; more than once does no harm. */
void watch_add(Watch *watch, int dir_fd);

/* Whether anything has happened since watch_take(). */
bool watch_has_news(const Watch *watch);
/* Forgets what has happened; whether anything has. */
bool watch_take(Watch *watch);
