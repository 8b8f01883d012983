-- SPDX-License-Identifier: Apache-2.0
--
-- Uploads under way, and which blobs of the store are ours. `..._sealed` is under the library's key,
-- times are microseconds since 1970 (UTC).

-- An upload, until it expires: also after it has become a photo, so that asking again is answered.
-- @partition by hash (user_id)
CREATE TABLE sync_upload (
    user_id BYTEA NOT NULL,
    upload_id BYTEA NOT NULL,
    kind BIGINT NOT NULL, -- 0: a file, 1: a part of one, 2: a file made of parts
    size BIGINT NOT NULL, -- of the whole; -1: not known yet
    received BIGINT NOT NULL, -- bytes that are durable
    epoch BIGINT NOT NULL, -- counts those who took it up to write to it
    lease_us BIGINT NOT NULL, -- until when the last of them has it for itself
    blob_id BYTEA NOT NULL,
    blob_name TEXT NOT NULL, -- of its stage in the store, then of the blob
    key_sealed BYTEA NOT NULL, -- of the blob
    about_sealed BYTEA NOT NULL, -- JSON: what the device said of the file
    progress_sealed BYTEA NOT NULL, -- its hash so far, and what does not fill a segment yet
    pair BYTEA NOT NULL, -- keyed hash of what the other half says too; empty: none
    outcome BIGINT NOT NULL, -- 0: not a photo yet; else what became of it
    photo_id BYTEA NOT NULL, -- empty until then
    created_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    PRIMARY KEY (user_id, upload_id)
);
CREATE INDEX sync_upload_expiry ON sync_upload (expires_us);
CREATE INDEX sync_upload_name ON sync_upload (blob_name);

-- What is in the store under a name that no row has is nobody's.
ALTER TABLE sync_blob ADD COLUMN name TEXT NOT NULL DEFAULT '';
CREATE INDEX sync_blob_name ON sync_blob (name);
