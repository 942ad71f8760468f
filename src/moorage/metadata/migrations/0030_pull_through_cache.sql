-- Programs before this step may go on.
--
--     repository  <-  cached_manifest  <-  cached_blob     a manifest of an upstream registry, until it is an image here
--                 <-  cached_tag                           the tags that such a manifest gets
--
--     fetching                                             what a process fetches now; its lease excludes the others
--
-- A manifest whose blobs or images are not all here is not an image yet: docs/decisions/0053-incomplete-images.md.

ALTER TABLE tag ADD COLUMN check_at INTEGER;   -- when a cached tag is compared with the upstream registry again

CREATE TABLE cached_manifest (
    repository_id  INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    digest         TEXT NOT NULL,
    media_type     TEXT NOT NULL,
    body           BLOB NOT NULL,
    fetched_at     INTEGER NOT NULL,
    pulled_at      INTEGER,               -- when a client first pulled it
    PRIMARY KEY (repository_id, digest)
) STRICT;

CREATE TABLE cached_blob (
    repository_id  INTEGER NOT NULL,
    digest         TEXT NOT NULL,
    manifest       TEXT NOT NULL,
    size           INTEGER NOT NULL,
    PRIMARY KEY (repository_id, digest, manifest),
    FOREIGN KEY (repository_id, manifest) REFERENCES cached_manifest (repository_id, digest) ON DELETE CASCADE
) STRICT;
CREATE INDEX cached_blob_by_manifest ON cached_blob (repository_id, manifest);

CREATE TABLE cached_tag (
    repository_id  INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    tag            TEXT NOT NULL,
    digest         TEXT NOT NULL,
    check_at       INTEGER NOT NULL,
    PRIMARY KEY (repository_id, tag)
) STRICT;
CREATE INDEX cached_tag_by_digest ON cached_tag (repository_id, digest);

CREATE TABLE fetching (
    item       TEXT NOT NULL PRIMARY KEY,     -- what is fetched: ACCOUNT/REGION/REPOSITORY@DIGEST, or :TAG
    lease      TEXT NOT NULL,
    lease_end  INTEGER NOT NULL,
    upload     TEXT REFERENCES upload (id) ON DELETE CASCADE,   -- where the bytes of a blob are stored
    size       INTEGER
) STRICT;
CREATE INDEX fetching_by_upload ON fetching (upload);
CREATE INDEX fetching_by_lease_end ON fetching (lease_end);
