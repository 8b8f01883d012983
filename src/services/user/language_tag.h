/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/str.h"

/*
 * Whether it is a well-formed language tag (RFC 5646 2.1) such as "de-CH": a langtag or one of
 * private use; the irregular ones that were registered before, and whose names are deprecated, are
 * not. Whether its parts are registered is not looked at. Pure.
 */
bool language_tag_is_well_formed(Str tag);
