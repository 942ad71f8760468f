-- Deleted repositories whose images and layers are still there. They are removed slice by slice
-- (docs/decisions/0059-deletion-in-slices.md).
--
--   repository ── deleted_repository    where the repository was: its own row has an empty account and its id as region,
--                                       so that its name is free and no request finds it
--
-- A program before this step would take these rows for repositories.

CREATE TABLE deleted_repository (
    repository_id  INTEGER PRIMARY KEY REFERENCES repository (id) ON DELETE CASCADE,
    account        TEXT NOT NULL,
    region         TEXT NOT NULL,
    name           TEXT NOT NULL,
    deleted_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX deleted_repository_by_name ON deleted_repository (account, region, name, deleted_at);

CREATE TRIGGER deleted_repository_added AFTER INSERT ON deleted_repository
    BEGIN UPDATE rules SET revision = revision + 1; END;
