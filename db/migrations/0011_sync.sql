-- SPDX-License-Identifier: Apache-2.0
--
-- The library of the sync service: no other service reads these tables. As in 0001, `..._sealed` is
-- under a key of the user, here the library's, and times are microseconds since 1970 (UTC).

-- What the service knows of its surroundings.
CREATE TABLE sync_setting (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name)
);

-- The newest state of each object: what the log of the topic library comes to.
-- @partition by hash (user_id)
CREATE TABLE sync_object (
    user_id BYTEA NOT NULL,
    kind TEXT NOT NULL, -- photo, album, edit ...
    object_id BYTEA NOT NULL,
    version BIGINT NOT NULL, -- counts its changes
    seq BIGINT NOT NULL, -- of the event that made it so
    removed BIGINT NOT NULL, -- 1: the object is no more, and its id never is another's
    changed_us BIGINT NOT NULL,
    state_sealed BYTEA NOT NULL, -- JSON; empty when removed
    PRIMARY KEY (user_id, kind, object_id)
);

-- What a device asked for and was answered, so that asking again changes nothing.
-- @partition by hash (user_id)
CREATE TABLE sync_mutation (
    user_id BYTEA NOT NULL,
    mutation_id BYTEA NOT NULL, -- the device's choice
    request_hash BYTEA NOT NULL, -- of method, path and body
    status BIGINT NOT NULL,
    version BIGINT NOT NULL, -- of the ETag; 0: none
    body_sealed BYTEA NOT NULL,
    created_us BIGINT NOT NULL,
    PRIMARY KEY (user_id, mutation_id)
);
CREATE INDEX sync_mutation_age ON sync_mutation (created_us);

-- Which photo has a content, so that the same file is one photo.
-- @partition by hash (user_id)
CREATE TABLE sync_content (
    user_id BYTEA NOT NULL,
    content BYTEA NOT NULL, -- keyed hash of the file's SHA-256
    photo_id BYTEA NOT NULL,
    PRIMARY KEY (user_id, content)
);

-- The blobs of this service: sealed under a key of their own, which is sealed here.
-- @partition by hash (user_id)
CREATE TABLE sync_blob (
    user_id BYTEA NOT NULL,
    blob_id BYTEA NOT NULL,
    size BIGINT NOT NULL, -- of the plain bytes
    key_sealed BYTEA NOT NULL,
    created_us BIGINT NOT NULL,
    PRIMARY KEY (user_id, blob_id)
);
