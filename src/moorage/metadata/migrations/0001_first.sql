-- The first schema. Times are microseconds since 1970 UTC; sizes are bytes.
--
--   account ─< iam_user ─< access_key            repository ─< tag ──────────> image ── manifest (its bytes)
--                      └─< user_policy           repository ─< image ─< image_layer >─ blob
--                                                repository ─< repository_layer >───── blob ── storage key
--   repository ─< resource_tag                   repository ─< upload, finished    image ─< image_child >─ image
--
-- A blob is stored once; `repository_layer` says in which repositories it may be seen (knowing a digest is no permission).

CREATE TABLE account (
    id          TEXT PRIMARY KEY,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE iam_user (
    id          TEXT PRIMARY KEY,
    account     TEXT NOT NULL REFERENCES account (id),
    name        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    UNIQUE (account, name)
) STRICT;

CREATE TABLE user_policy (
    user_id     TEXT NOT NULL REFERENCES iam_user (id) ON DELETE CASCADE,
    policy      TEXT NOT NULL,
    PRIMARY KEY (user_id, policy)
) STRICT, WITHOUT ROWID;

CREATE TABLE access_key (
    id             TEXT PRIMARY KEY,
    user_id        TEXT NOT NULL REFERENCES iam_user (id) ON DELETE CASCADE,
    sealed_secret  BLOB NOT NULL,
    active         INTEGER NOT NULL,
    created_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX access_key_by_user ON access_key (user_id);

CREATE TABLE repository (
    id                 INTEGER PRIMARY KEY,
    account            TEXT NOT NULL,
    region             TEXT NOT NULL,
    name               TEXT NOT NULL,
    created_at         INTEGER NOT NULL,
    tag_mutability     TEXT NOT NULL,
    exclusion_filters  TEXT NOT NULL,     -- JSON list of wildcard filters
    scan_on_push       INTEGER NOT NULL,
    encryption_type    TEXT NOT NULL,
    kms_key            TEXT,
    UNIQUE (account, region, name)
) STRICT;

CREATE TABLE resource_tag (
    repository_id  INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    key            TEXT NOT NULL,
    value          TEXT NOT NULL,
    PRIMARY KEY (repository_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE blob (
    id           INTEGER PRIMARY KEY,
    digest       TEXT NOT NULL UNIQUE,
    size         INTEGER NOT NULL,
    storage_key  TEXT NOT NULL UNIQUE,    -- never used twice
    created_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE repository_layer (
    repository_id  INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    blob_id        INTEGER NOT NULL REFERENCES blob (id),
    linked_at      INTEGER NOT NULL,
    PRIMARY KEY (repository_id, blob_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX repository_layer_by_blob ON repository_layer (blob_id);

CREATE TABLE upload (
    id             TEXT PRIMARY KEY,
    repository_id  INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    owner          TEXT NOT NULL,         -- id of the user who began it
    size           INTEGER NOT NULL,      -- bytes received, stored and synced
    parts          INTEGER NOT NULL,
    last_part      INTEGER NOT NULL,      -- size of the newest part
    short_part     INTEGER NOT NULL,      -- 1: a part before the newest is below the minimum of the API
    created_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX upload_by_age ON upload (created_at);

-- Uploads that became layers, remembered for a while: a client that lost the answer asks again and gets the same one.
CREATE TABLE finished_upload (
    id             TEXT PRIMARY KEY,
    repository_id  INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    owner          TEXT NOT NULL,
    digest         TEXT NOT NULL,
    finished_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX finished_upload_by_age ON finished_upload (finished_at);
CREATE INDEX finished_upload_by_repository ON finished_upload (repository_id);

CREATE TABLE image (
    id             INTEGER PRIMARY KEY,
    repository_id  INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    digest         TEXT NOT NULL,
    media_type     TEXT NOT NULL,
    artifact_type  TEXT,
    subject        TEXT,                  -- digest of the manifest it refers to, which need not exist
    size           INTEGER NOT NULL,
    manifest_size  INTEGER NOT NULL,
    annotations    TEXT NOT NULL,         -- JSON object
    pushed_at      INTEGER NOT NULL,
    UNIQUE (repository_id, digest)
) STRICT;
CREATE INDEX image_by_repository ON image (repository_id);
CREATE INDEX image_by_subject ON image (repository_id, subject) WHERE subject IS NOT NULL;

-- Apart from `image`, so that a scan of many images does not read their manifests.
CREATE TABLE manifest (
    image_id  INTEGER PRIMARY KEY REFERENCES image (id) ON DELETE CASCADE,
    body      BLOB NOT NULL
) STRICT;

CREATE TABLE image_layer (
    image_id       INTEGER NOT NULL REFERENCES image (id) ON DELETE CASCADE,
    blob_id        INTEGER NOT NULL REFERENCES blob (id),
    repository_id  INTEGER NOT NULL,
    media_type     TEXT NOT NULL,
    PRIMARY KEY (image_id, blob_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_layer_by_blob ON image_layer (blob_id, repository_id);

CREATE TABLE image_child (
    parent_id  INTEGER NOT NULL REFERENCES image (id) ON DELETE CASCADE,
    child_id   INTEGER NOT NULL REFERENCES image (id) ON DELETE CASCADE,
    PRIMARY KEY (parent_id, child_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_child_by_child ON image_child (child_id);

CREATE TABLE tag (
    repository_id  INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    name           TEXT NOT NULL,
    image_id       INTEGER NOT NULL REFERENCES image (id) ON DELETE CASCADE,
    tagged_at      INTEGER NOT NULL,
    PRIMARY KEY (repository_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX tag_by_image ON tag (image_id);
