-- Lifecycle policies, and what their previews found.
--
--   repository ── lifecycle_policy
--   repository ── lifecycle_preview ─< lifecycle_preview_result

CREATE TABLE lifecycle_policy (
    repository_id  INTEGER PRIMARY KEY REFERENCES repository (id) ON DELETE CASCADE,
    policy         TEXT NOT NULL,
    evaluated_at   INTEGER NOT NULL      -- 0: not yet
) STRICT;

CREATE TABLE lifecycle_preview (
    repository_id  INTEGER PRIMARY KEY REFERENCES repository (id) ON DELETE CASCADE,
    policy         TEXT NOT NULL,
    is_complete    INTEGER NOT NULL,
    started_at     INTEGER NOT NULL,
    expiring       INTEGER NOT NULL,
    archiving      INTEGER NOT NULL
) STRICT;

CREATE TABLE lifecycle_preview_result (
    repository_id  INTEGER NOT NULL REFERENCES lifecycle_preview (repository_id) ON DELETE CASCADE,
    position       INTEGER NOT NULL,
    digest         TEXT NOT NULL,
    tags           TEXT NOT NULL,        -- JSON list
    pushed_at      INTEGER NOT NULL,
    is_archived    INTEGER NOT NULL,
    action         TEXT NOT NULL,        -- expire, transition
    priority       INTEGER NOT NULL,
    PRIMARY KEY (repository_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX lifecycle_preview_result_by_digest ON lifecycle_preview_result (repository_id, digest);
