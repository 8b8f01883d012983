/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ports/renderer.h"

const char *const render_status_names[] = {"ok",
                                           "unsupported",
                                           "unreadable",
                                           "too_large",
                                           "background_unreadable",
                                           "no_foreground",
                                           "roi_exceeds_bounds",
                                           "roi_empty",
                                           "unknown_model",
                                           "busy",
                                           "timeout",
                                           "crashed",
                                           "cancelled",
                                           "fault",
                                           NULL};
