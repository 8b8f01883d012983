/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An event as it leaves: one JSON object (docs/operations/events.md), in ASCII and without line
 * breaks.
 *
 *   {"topic","user","seq","kind","object","version","removed","device"?,"at","facts"?,"sealed"?,
 *    "omitted"?}
 *
 * Identifiers are UUIDs in text, `at` is in milliseconds since 1970 (UTC), `sealed` is in base64
 * (RFC 4648 4). An envelope that would be longer than `size_max` has "omitted": true instead of the
 * sealed state. Aborts when memory is exhausted.
 */

#include "core/events/event_log.h"

void event_envelope_write(const Event *event, size_t size_max, Buf *out);
