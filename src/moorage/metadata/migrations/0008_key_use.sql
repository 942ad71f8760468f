-- When a key was last used, and by which master key the secrets of this database are sealed.
--
--   access_key.last_used_at      about once an hour and key, so that a request costs no write
--   master_key                   one row at most: a stamp that only the right key makes

ALTER TABLE access_key ADD COLUMN last_used_at INTEGER;

CREATE TABLE master_key (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    stamp  TEXT NOT NULL
) STRICT;
