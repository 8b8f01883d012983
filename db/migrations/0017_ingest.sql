-- SPDX-License-Identifier: Apache-2.0
--
-- Which version of what looks into photos' files has looked into which, so that what is read of files
-- by a later one is found out of those that were there before. No part of the log.

-- @partition by hash (user_id)
CREATE TABLE sync_ingest (
    user_id BYTEA NOT NULL,
    photo_id BYTEA NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (user_id, photo_id)
);
CREATE INDEX sync_ingest_version ON sync_ingest (version);

INSERT INTO sync_ingest (user_id, photo_id, version)
SELECT user_id, photo_id, 0 FROM sync_photo;
