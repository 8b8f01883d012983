-- SPDX-License-Identifier: Apache-2.0
--
-- How far the devices of a library have come. Times are microseconds since 1970 (UTC).

-- @partition by hash (user_id)
CREATE TABLE sync_device (
    user_id BYTEA NOT NULL,
    device_id BYTEA NOT NULL, -- of the session, the grant or the API key
    seq BIGINT NOT NULL, -- up to here it has read the log of the topic library
    seen_us BIGINT NOT NULL, -- when it said so
    name_sealed BYTEA NOT NULL, -- as the device calls itself; empty: it has not said
    PRIMARY KEY (user_id, device_id)
);
CREATE INDEX sync_device_seen ON sync_device (seen_us);
