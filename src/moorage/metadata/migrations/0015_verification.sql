-- What `moorage verify` found and how far it is. The bytes of a damaged blob were moved aside: nobody is told that it is
-- there, so that whoever pushes it again heals it.

ALTER TABLE blob ADD COLUMN damaged_at INTEGER;

CREATE TABLE verification (
    kind      TEXT PRIMARY KEY,           -- blob
    position  INTEGER NOT NULL            -- the id of the last row that was verified
) STRICT;
