-- SPDX-License-Identifier: Apache-2.0
--
-- Who people are at other issuers that they may sign in with.

-- Whose an identity is; its hash is keyed, of the issuer's URL and the subject. Not partitioned by
-- user: this is what finds the user.
CREATE TABLE user_identity_owner (
    identity_hash BYTEA NOT NULL,
    user_id BYTEA NOT NULL,
    PRIMARY KEY (identity_hash)
);
CREATE INDEX user_identity_owner_user ON user_identity_owner (user_id);

-- @partition by hash (user_id)
CREATE TABLE user_identity (
    user_id BYTEA NOT NULL,
    identity_id BYTEA NOT NULL,
    identity_hash BYTEA NOT NULL,
    detail_sealed BYTEA NOT NULL, -- JSON: issuer, subject, email (as it was when it was linked)
    created_us BIGINT NOT NULL,
    used_us BIGINT NOT NULL, -- signed in with, or linked
    PRIMARY KEY (user_id, identity_id)
);
