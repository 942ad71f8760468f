-- Programs before this step may go on.
-- A registry that moves to another place (`moorage migrate --from … --to …`): what each of the two knows of it.
--
--   move         at most one row for each role: source (open, sealed, moved) and target (unfinished, complete)
--   moved_blob   at the target, until the move is complete: what was copied and verified, by the storage key at the source

CREATE TABLE move (
    role      TEXT PRIMARY KEY,
    id        TEXT NOT NULL,          -- the same on both sides
    state     TEXT NOT NULL,
    other     TEXT NOT NULL,          -- the other side, for people
    began_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE moved_blob (
    source_key   TEXT PRIMARY KEY,
    storage_key  TEXT NOT NULL UNIQUE,
    digest       TEXT NOT NULL,
    size         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
