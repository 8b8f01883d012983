-- SPDX-License-Identifier: Apache-2.0
--
-- Passkeys: what people sign in with instead of a password, or besides one.

-- What can be told apart without the user's key is nothing but how many there are. The public key
-- is sealed too: whoever can write here must not be able to put in one of their own.
-- @partition by hash (user_id)
CREATE TABLE user_passkey (
    user_id BYTEA NOT NULL,
    passkey_id BYTEA NOT NULL, -- SHA-256 of the credential's id
    detail_sealed BYTEA NOT NULL, -- JSON: name, the credential's id, algorithm and public key
    sign_count BIGINT NOT NULL, -- that was told last; one that does not count tells 0
    created_us BIGINT NOT NULL,
    used_us BIGINT, -- NULL: never
    PRIMARY KEY (user_id, passkey_id)
);

-- Challenges that were used, until they would not be taken for their age.
-- @partition by hash (user_id)
CREATE TABLE user_passkey_challenge (
    user_id BYTEA NOT NULL,
    challenge_hash BYTEA NOT NULL,
    expires_us BIGINT NOT NULL,
    PRIMARY KEY (user_id, challenge_hash)
);
