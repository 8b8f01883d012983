-- SPDX-License-Identifier: Apache-2.0
--
-- Keeps the number until its own comes.
DELETE FROM sync_setting WHERE name = '';
