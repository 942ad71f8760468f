-- Signing: the keys and certificates of signing profiles, what they signed, and which images must be signed.
--
-- A program before this step would rotate the master key without these keys, and serve pulls of unsigned images.
--
--   signing_root ──< signing_profile (one row for each version) ──< signing_job
--   image ──< image_signing            signing_configuration, signature_requirement: by registry

CREATE TABLE signing_root (
    id           TEXT PRIMARY KEY,
    account      TEXT NOT NULL,
    certificate  BLOB NOT NULL,         -- DER
    sealed_key   BLOB,                  -- NULL after the root was replaced: it signs nothing any more
    is_current   INTEGER NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX signing_root_current ON signing_root (account) WHERE is_current = 1;
CREATE INDEX signing_root_by_account ON signing_root (account, created_at);

CREATE TABLE signing_profile (
    id                TEXT PRIMARY KEY, -- ARN of the version
    account           TEXT NOT NULL,
    region            TEXT NOT NULL,
    name              TEXT NOT NULL,
    version           TEXT NOT NULL,
    is_current        INTEGER NOT NULL,
    status            TEXT NOT NULL,    -- Active, Canceled or Revoked
    status_reason     TEXT,
    root_id           TEXT NOT NULL REFERENCES signing_root (id),
    certificate       BLOB NOT NULL,    -- DER
    certificate_hash  TEXT NOT NULL,    -- as GetRevocationStatus names it
    sealed_key        BLOB,             -- NULL after another version became the current one, or this was revoked
    validity_value    INTEGER NOT NULL,
    validity_type     TEXT NOT NULL,
    tags              TEXT NOT NULL,    -- JSON object
    shared_with       TEXT NOT NULL,    -- JSON list of accounts
    created_at        INTEGER NOT NULL,
    ends_at           INTEGER NOT NULL, -- of the certificate
    revoked_at        INTEGER,
    revoked_from      INTEGER,          -- signatures from this time on are not valid
    revoked_by        TEXT
) STRICT;
CREATE UNIQUE INDEX signing_profile_current ON signing_profile (account, region, name) WHERE is_current = 1;
CREATE INDEX signing_profile_by_name ON signing_profile (account, region, name, created_at);
CREATE INDEX signing_profile_by_certificate ON signing_profile (certificate_hash);

CREATE TABLE signing_job (
    id               TEXT PRIMARY KEY,
    account          TEXT NOT NULL,     -- of the profile
    region           TEXT NOT NULL,
    profile_version  TEXT NOT NULL,     -- ARN
    requested_by     TEXT NOT NULL,     -- ARN
    created_at       INTEGER NOT NULL,
    ends_at          INTEGER NOT NULL,  -- of the signature
    revoked_at       INTEGER,
    revoked_by       TEXT,
    reason           TEXT
) STRICT;
CREATE INDEX signing_job_by_end ON signing_job (ends_at);

CREATE TABLE image_signing (
    image_id         INTEGER NOT NULL REFERENCES image (id) ON DELETE CASCADE,
    profile          TEXT NOT NULL,     -- ARN
    status           TEXT NOT NULL,     -- COMPLETE or FAILED
    failure_code     TEXT,
    failure_reason   TEXT,
    profile_version  TEXT,              -- ARN
    signature        TEXT,              -- digest of the signature's manifest
    PRIMARY KEY (image_id, profile)
) STRICT;

CREATE TABLE signing_configuration (
    account  TEXT NOT NULL,
    region   TEXT NOT NULL,
    rules    TEXT NOT NULL,             -- JSON list
    PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;

CREATE TABLE signature_requirement (
    id          TEXT PRIMARY KEY,
    account     TEXT NOT NULL,
    region      TEXT NOT NULL,
    filter      TEXT NOT NULL,          -- of repository names
    kind        TEXT NOT NULL,          -- notation-profile or cosign-key
    trusted     TEXT NOT NULL,          -- ARN of the profile, or the public key in PEM
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX signature_requirement_by_registry ON signature_requirement (account, region);

CREATE TRIGGER signature_requirement_added AFTER INSERT ON signature_requirement
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER signature_requirement_changed AFTER UPDATE ON signature_requirement
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER signature_requirement_removed AFTER DELETE ON signature_requirement
    BEGIN UPDATE rules SET revision = revision + 1; END;
