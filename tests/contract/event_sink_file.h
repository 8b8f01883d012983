/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A sink for tests: a file of envelopes, a line each. What a kill cut off is a line by itself. */

#include "core/ports/event_sink.h"

int event_sink_file_new(const char *path, EventSink **ret_sink);
