-- Programs before this step may go on.
-- Which blob store is this registry's own (core/own_store.py).
--
--   own_store   at most one row: the marker that the store holds, and the setting that named the store, for messages

CREATE TABLE own_store (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    marker     TEXT NOT NULL,
    place      TEXT NOT NULL,
    is_marked  INTEGER NOT NULL          -- whether the store has the marker: it is written after this row
) STRICT;
