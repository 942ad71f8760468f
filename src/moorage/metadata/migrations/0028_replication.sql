-- Programs before this step may go on.
--
-- Replication: rules, waiting and failed entries, and the images that are copies.
--
--   replication_configuration        the rules of a source registry
--   replication_entry                an image or tag that waits for a destination, or failed there
--   repository ─< replicated_image   images of a source, with the destinations where they have arrived
--   repository ─< replica            images of a destination, with the registry that they come from
--   replication_backfill ─< replication_backfill_result
--
-- An entry names its repository by name: the deletion of an image still has to arrive when its repository is gone.

CREATE TABLE replication_configuration (
    account     TEXT NOT NULL,
    region      TEXT NOT NULL,
    rules       TEXT NOT NULL,          -- JSON list, as the client sent it
    changed_at  INTEGER NOT NULL,
    PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;

CREATE TABLE replication_entry (
    id               INTEGER PRIMARY KEY,
    account          TEXT NOT NULL,
    region           TEXT NOT NULL,
    repository       TEXT NOT NULL,
    digest           TEXT NOT NULL,
    tag              TEXT NOT NULL,     -- empty: the image without a tag
    action           TEXT NOT NULL,     -- COPY, DELETE, ARCHIVE
    to_account       TEXT NOT NULL,
    to_region        TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    version          INTEGER NOT NULL,  -- how often the same was asked for while it waited
    failed_at        INTEGER,           -- NULL: it waits
    failure_code     TEXT,
    failure_reason   TEXT,
    UNIQUE (account, region, repository, digest, tag, action, to_account, to_region)
) STRICT;
CREATE INDEX replication_entry_by_order
    ON replication_entry (account, region, repository, to_account, to_region, id) WHERE failed_at IS NULL;
CREATE INDEX replication_entry_by_destination ON replication_entry (account, region, to_account, to_region, failed_at);
CREATE INDEX replication_entry_by_failure ON replication_entry (failed_at) WHERE failed_at IS NOT NULL;

CREATE TABLE replicated_image (
    repository_id  INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    digest         TEXT NOT NULL,
    to_account     TEXT NOT NULL,
    to_region      TEXT NOT NULL,
    copied_at      INTEGER NOT NULL,
    PRIMARY KEY (repository_id, digest, to_account, to_region)
) STRICT, WITHOUT ROWID;

CREATE TABLE replica (
    repository_id  INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    digest         TEXT NOT NULL,
    from_account   TEXT NOT NULL,
    from_region    TEXT NOT NULL,
    copied_at      INTEGER NOT NULL,
    PRIMARY KEY (repository_id, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE replication_backfill (
    id             TEXT PRIMARY KEY,
    account        TEXT NOT NULL,
    region         TEXT NOT NULL,
    to_account     TEXT NOT NULL,
    to_region      TEXT NOT NULL,
    status         TEXT NOT NULL,       -- as in the API
    failure_code   TEXT,
    started_at     INTEGER NOT NULL,
    ended_at       INTEGER,
    is_prepared    INTEGER NOT NULL,    -- 1: all its images are known
    at_repository  TEXT NOT NULL,       -- while it is prepared: the repository and image that were looked at last
    at_image       INTEGER NOT NULL,
    total          INTEGER NOT NULL,
    completed      INTEGER NOT NULL,
    failed         INTEGER NOT NULL,
    failure_codes  TEXT NOT NULL        -- JSON list
) STRICT;
CREATE INDEX replication_backfill_by_start ON replication_backfill (account, region, started_at, id);
CREATE INDEX replication_backfill_in_progress ON replication_backfill (account, region) WHERE ended_at IS NULL;
CREATE INDEX replication_backfill_by_end ON replication_backfill (ended_at);

CREATE TABLE replication_backfill_result (
    backfill_id    TEXT NOT NULL REFERENCES replication_backfill (id) ON DELETE CASCADE,
    position       INTEGER NOT NULL,
    repository     TEXT NOT NULL,
    digest         TEXT NOT NULL,
    tag            TEXT NOT NULL,       -- empty: the image without a tag
    status         TEXT NOT NULL,       -- WAITING, COMPLETE, FAILED
    failure_code   TEXT,
    sub_codes      TEXT,                -- JSON list, for indexes
    PRIMARY KEY (backfill_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX replication_backfill_result_by_status ON replication_backfill_result (backfill_id, status, position);
