-- SPDX-License-Identifier: Apache-2.0
--
-- Keeps the number until its own comes.
DROP TABLE IF EXISTS placeholder;
