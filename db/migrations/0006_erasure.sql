-- SPDX-License-Identifier: Apache-2.0
--
-- What is done in the background, and the proof that an account was erased.

-- Chores: one server at a time does each. Who holds one writes its until_us anew while it works; when
-- that server dies, the chore is free from then on.
CREATE TABLE user_chore (
    name TEXT NOT NULL,
    holder BYTEA NOT NULL, -- of a process, made anew at each start
    until_us BIGINT NOT NULL, -- 0: nobody is at it
    due_us BIGINT NOT NULL, -- when it is to be done next
    PRIMARY KEY (name)
);

-- Who asked for their account's erasure, and when; user_account.erase_us says when it is due.
-- @partition by hash (user_id)
CREATE TABLE user_erasure (
    user_id BYTEA NOT NULL,
    asked_us BIGINT NOT NULL,
    PRIMARY KEY (user_id)
);

-- Where a trail begins whose first rows were kept long enough: the last of those that went. The tag
-- covers both, so that nobody else can cut a trail.
-- @partition by hash (user_id)
CREATE TABLE user_audit_anchor (
    user_id BYTEA NOT NULL,
    seq BIGINT NOT NULL,
    mac BYTEA NOT NULL,
    tag BYTEA NOT NULL,
    PRIMARY KEY (user_id)
);

-- Receipts, each sealed under a key that is made of its id, which only whoever got it by mail knows:
-- nobody who reads this table learns who was erased.
CREATE TABLE user_erasure_receipt (
    receipt_hash BYTEA NOT NULL, -- SHA-256 of the id
    receipt_sealed BYTEA NOT NULL, -- the JWT
    created_us BIGINT NOT NULL,
    PRIMARY KEY (receipt_hash)
);

-- The public keys that receipts were signed with, which are needed for longer than any token lives.
-- Sealed under the service's key, so that whoever can write here cannot put in one of their own.
CREATE TABLE user_receipt_key (
    kid TEXT NOT NULL,
    public_sealed BYTEA NOT NULL, -- the JWK
    created_us BIGINT NOT NULL,
    PRIMARY KEY (kid)
);

-- What users of status 2 are found by. The payload of user_mail_token is sealed under a key that is
-- made of the token from now on; one that was sealed under the service's key before does not open
-- any more, and its link says that it has expired: whoever wants it asks for another mail.
CREATE INDEX user_account_erasure ON user_account (erase_us);

-- An erasure looks for all that is of one user.
CREATE INDEX user_email_user ON user_email (user_id);
