-- SPDX-License-Identifier: Apache-2.0
--
-- The picture that somebody shows of themselves.

-- The row stays when the picture is removed, so that a version never comes back with another one.
-- @partition by hash (user_id)
CREATE TABLE user_avatar (
    user_id BYTEA NOT NULL,
    version BIGINT NOT NULL, -- counts up with each change
    image_sealed BYTEA, -- WebP, written by a worker of ours; NULL: removed
    created_us BIGINT NOT NULL, -- of the change
    PRIMARY KEY (user_id)
);
