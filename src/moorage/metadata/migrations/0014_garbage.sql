-- Garbage: when clients were told of a layer, what was removed and can come back, and bytes that are still to go.
--
--   repository_layer.told_at        the grace period of a layer begins again whenever a client is told that it is there
--   removed_image ─< removed_tag    images that were deleted, kept for the grace period; until then they hold
--                 └< removed_layer >─ blob      their layers
--   removed_bytes                   what the store still has to remove: no row names it any more
--   image ─< awaited_layer          layers that a manifest names and its repository does not have (yet)

-- Programs before this one did not note what they told.
ALTER TABLE repository_layer ADD COLUMN told_at INTEGER NOT NULL DEFAULT 0;
UPDATE repository_layer SET told_at = unixepoch() * 1000000;

CREATE TABLE removed_image (
    id          INTEGER PRIMARY KEY,
    account     TEXT NOT NULL,
    region      TEXT NOT NULL,
    repository  TEXT NOT NULL,            -- its name: the repository itself may be gone, too
    digest      TEXT NOT NULL,
    media_type  TEXT NOT NULL,
    body        BLOB NOT NULL,
    removed_at  INTEGER NOT NULL,
    UNIQUE (account, region, repository, digest)
) STRICT;
CREATE INDEX removed_image_by_age ON removed_image (removed_at);
CREATE INDEX removed_image_by_digest ON removed_image (digest);

CREATE TABLE removed_tag (
    removed_id  INTEGER NOT NULL REFERENCES removed_image (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    PRIMARY KEY (removed_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE removed_layer (
    removed_id     INTEGER NOT NULL REFERENCES removed_image (id) ON DELETE CASCADE,
    blob_id        INTEGER NOT NULL REFERENCES blob (id),
    repository_id  INTEGER NOT NULL,
    PRIMARY KEY (removed_id, blob_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX removed_layer_by_blob ON removed_layer (blob_id, repository_id);

CREATE TABLE removed_bytes (
    name    TEXT PRIMARY KEY,             -- a storage key, or an upload's id
    kind    TEXT NOT NULL,                -- blob or upload
    digest  TEXT,
    size    INTEGER NOT NULL,
    due_at  INTEGER NOT NULL              -- links and answers that were begun before the row went are over by then
) STRICT, WITHOUT ROWID;
CREATE INDEX removed_bytes_by_due ON removed_bytes (due_at);

CREATE TABLE awaited_layer (
    repository_id  INTEGER NOT NULL,
    digest         TEXT NOT NULL,
    image_id       INTEGER NOT NULL REFERENCES image (id) ON DELETE CASCADE,
    media_type     TEXT NOT NULL,
    PRIMARY KEY (repository_id, digest, image_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX awaited_layer_by_image ON awaited_layer (image_id);
