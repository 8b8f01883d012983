/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A place in the write-ahead log: the time line, which grows with each failover, and the offset.
 * The offset alone would not do: a replica that had received more than the new primary of its old
 * one stands further on, on a branch that ended.
 */

#include "core/ports/db.h"

typedef struct WalPosition {
    uint32_t timeline; /* 0: nowhere yet */
    uint64_t lsn;
} WalPosition;

/* Whether one that has replayed up to `replayed` shows what was written before `wanted`. */
static inline bool wal_position_covers(WalPosition replayed, WalPosition wanted) {
    return replayed.timeline >= wanted.timeline && replayed.lsn >= wanted.lsn;
}

/* As a token, "00000001-00000000/016B3748": time line and LSN, of one length, so that tokens
 * compare as bytes. */
void wal_position_format(WalPosition position, DbToken *ret_token);

/* An empty token is position 0, which every replica covers. -EINVAL when it is none of ours. */
int wal_position_parse(const DbToken *token, WalPosition *ret_position);
