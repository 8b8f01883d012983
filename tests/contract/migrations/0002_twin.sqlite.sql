-- SPDX-License-Identifier: Apache-2.0
INSERT INTO contract_first (id, word) VALUES (2, 'sqlite ' || typeof(1));
