/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How many clients this process may hold: `wanted`, or fewer when the system does not let it have
 * that many open files beside those that it needs itself (at least 16; a warning is logged then).
 * Raises the process' own limit as far as it may and needs.
 */
unsigned file_limit_connections(unsigned wanted);
