-- SPDX-License-Identifier: Apache-2.0
-- @partition by hash (user_id)
CREATE TABLE contract_parted (
    user_id BYTEA NOT NULL,
    id BIGINT NOT NULL, -- unique for each user; not for all
    word TEXT DEFAULT ';',
    PRIMARY KEY (user_id, id)
);
CREATE INDEX contract_parted_word ON contract_parted (user_id, word);
