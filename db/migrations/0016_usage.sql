-- SPDX-License-Identifier: Apache-2.0
--
-- What a library takes, so that a new upload asks one row and not all of them. Changed in the
-- transactions that change what it counts, and made anew by a rebuild.

-- @partition by hash (user_id)
CREATE TABLE sync_usage (
    user_id BYTEA NOT NULL,
    files BIGINT NOT NULL, -- rows of sync_blob
    bytes BIGINT NOT NULL, -- of these
    reserved BIGINT NOT NULL, -- bytes, by the rows of sync_upload
    PRIMARY KEY (user_id)
);

-- Room that an upload has until it is a photo: its length, or what was asked for so far.
ALTER TABLE sync_upload ADD COLUMN reserved BIGINT NOT NULL DEFAULT 0;
UPDATE sync_upload SET reserved = CASE WHEN size > received THEN size ELSE received END
WHERE outcome = 0;

INSERT INTO sync_usage (user_id, files, bytes, reserved)
SELECT user_id, CAST(sum(files) AS BIGINT), CAST(sum(bytes) AS BIGINT),
    CAST(sum(reserved) AS BIGINT)
FROM (
    SELECT user_id, 1 AS files, size AS bytes, 0 AS reserved FROM sync_blob
    UNION ALL
    SELECT user_id, 0 AS files, 0 AS bytes, reserved FROM sync_upload
) AS counted
GROUP BY user_id;
