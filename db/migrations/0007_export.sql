-- SPDX-License-Identifier: Apache-2.0
--
-- Copies of their data that people asked for, and what they agreed to.

-- @partition by hash (user_id)
CREATE TABLE user_export (
    user_id BYTEA NOT NULL,
    export_id BYTEA NOT NULL,
    state BIGINT NOT NULL, -- 0 waiting, 1 running, 2 ready, 3 failed
    reason BIGINT NOT NULL, -- of the failure: 1 fault, 2 too large
    tries BIGINT NOT NULL, -- counts those who took it: what an earlier one writes is refused
    len BIGINT NOT NULL, -- bytes of the archive
    n_parts BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    ready_us BIGINT NOT NULL, -- 0: not yet
    due_us BIGINT NOT NULL, -- when it may be taken, or once it is ready or failed, when it goes
    PRIMARY KEY (user_id, export_id)
);
CREATE INDEX user_export_due ON user_export (due_us);

-- The archive, sealed under the user's key in pieces of less than 256 KiB.
-- @partition by hash (user_id)
CREATE TABLE user_export_part (
    user_id BYTEA NOT NULL,
    export_id BYTEA NOT NULL,
    part BIGINT NOT NULL, -- from 0 on
    bytes_sealed BYTEA NOT NULL,
    PRIMARY KEY (user_id, export_id, part)
);

-- What somebody agreed to or took back, never changed: the newest row of a document is what holds.
-- @partition by hash (user_id)
CREATE TABLE user_consent (
    user_id BYTEA NOT NULL,
    consent_id BYTEA NOT NULL, -- in the order of time
    document TEXT NOT NULL, -- the id of the configuration's document
    version TEXT NOT NULL,
    given BIGINT NOT NULL, -- 1 given, 0 withdrawn
    at_us BIGINT NOT NULL,
    detail_sealed BYTEA NOT NULL, -- JSON: address, agent
    PRIMARY KEY (user_id, consent_id)
);
