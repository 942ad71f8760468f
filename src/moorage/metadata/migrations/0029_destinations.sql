-- Destinations of replication outside this server. A program before this step would rotate the master key without their
-- credentials.
--
--   replication_destination      where a destination is, and what it gets
--     ├< replication_slot        the streams that it gets at once: leases of worker processes
--     └< replication_upload      large layers whose upload was begun and can be continued

CREATE TABLE replication_destination (
    id               TEXT PRIMARY KEY,     -- REGION/ACCOUNT: the context that its credentials are sealed for
    account          TEXT NOT NULL,
    region           TEXT NOT NULL,
    url              TEXT NOT NULL,
    sealed_secret    BLOB NOT NULL,        -- the credentials
    options          TEXT NOT NULL,        -- JSON: what it gets, and its limits
    changed_at       INTEGER NOT NULL,
    last_error       TEXT,
    last_error_at    INTEGER,
    last_arrival_at  INTEGER
) STRICT;

CREATE TABLE replication_slot (
    destination  TEXT NOT NULL REFERENCES replication_destination (id) ON DELETE CASCADE,
    slot         INTEGER NOT NULL,
    holder       TEXT NOT NULL,
    lease_end    INTEGER NOT NULL,
    PRIMARY KEY (destination, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX replication_slot_by_holder ON replication_slot (holder);

CREATE TABLE replication_upload (
    destination  TEXT NOT NULL REFERENCES replication_destination (id) ON DELETE CASCADE,
    repository   TEXT NOT NULL,            -- its name there
    digest       TEXT NOT NULL,
    location     TEXT NOT NULL,
    saved_at     INTEGER NOT NULL,
    PRIMARY KEY (destination, repository, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX replication_upload_by_age ON replication_upload (saved_at);
