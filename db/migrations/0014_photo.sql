-- SPDX-License-Identifier: Apache-2.0
--
-- What the states of photos and edits come to, for finding them (services/sync/index.h): made anew
-- from the log by a rebuild. And links that show photos to others, which are no part of the log.

-- @partition by hash (user_id)
CREATE TABLE sync_photo (
    user_id BYTEA NOT NULL,
    photo_id BYTEA NOT NULL,
    shelf BIGINT NOT NULL, -- 0 the library, 1 the trash
    sort_us BIGINT NOT NULL, -- when it was taken, else added
    trashed_us BIGINT, -- NULL: it is not
    terms_hash BYTEA NOT NULL, -- of all that is known here of it, so that what stays is not written
    PRIMARY KEY (user_id, photo_id)
);
CREATE INDEX sync_photo_grid ON sync_photo (user_id, shelf, sort_us, photo_id);
CREATE INDEX sync_photo_trash ON sync_photo (trashed_us) WHERE trashed_us IS NOT NULL;

-- What a photo is found by: 64 bits of keyed hashes of its words, tags, albums, camera ...
-- @partition by hash (user_id)
CREATE TABLE sync_term (
    user_id BYTEA NOT NULL,
    term BIGINT NOT NULL,
    sort_us BIGINT NOT NULL,
    photo_id BYTEA NOT NULL,
    PRIMARY KEY (user_id, term, sort_us, photo_id)
);
CREATE INDEX sync_term_photo ON sync_term (user_id, photo_id);

-- Which edits a photo has.
-- @partition by hash (user_id)
CREATE TABLE sync_edit (
    user_id BYTEA NOT NULL,
    photo_id BYTEA NOT NULL,
    edit_id BYTEA NOT NULL,
    PRIMARY KEY (user_id, photo_id, edit_id)
);
CREATE INDEX sync_edit_id ON sync_edit (user_id, edit_id);

-- Links that show photos to whoever has them.
-- @partition by hash (user_id)
CREATE TABLE sync_share (
    user_id BYTEA NOT NULL,
    share_id BYTEA NOT NULL,
    secret_hash BYTEA NOT NULL, -- SHA-256 of what only the link has
    created_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL, -- 0: never
    tries BIGINT NOT NULL, -- wrong passwords one after another
    tried_us BIGINT NOT NULL,
    detail_sealed BYTEA NOT NULL, -- JSON: what it shows, the hash of its password
    PRIMARY KEY (user_id, share_id)
);

-- What its owner wants of a library.
-- @partition by hash (user_id)
CREATE TABLE sync_library (
    user_id BYTEA NOT NULL,
    keep_places BIGINT NOT NULL, -- 1: where a photo was taken is kept
    PRIMARY KEY (user_id)
);
