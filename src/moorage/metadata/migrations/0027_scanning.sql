-- Programs before this step may go on.
--
-- Scanning: the configuration of each registry, and what scans of images found.
--
--   registry_scanning                             one row for each registry that has a configuration
--   image ── image_scan ─< scan_finding           the last scan of an image
--   scanner_state                                 the scanner and its database, as last seen

CREATE TABLE registry_scanning (
    account        TEXT NOT NULL,
    region         TEXT NOT NULL,
    scan_type      TEXT NOT NULL,        -- BASIC, ENHANCED
    rules          TEXT NOT NULL,        -- JSON: [frequency, [filter, …]], …
    enhanced_at    INTEGER NOT NULL,     -- since when the scan type is ENHANCED; 0: it is not
    applied_type   TEXT NOT NULL,        -- the configuration whose effects on repositories were announced
    applied_rules  TEXT NOT NULL,
    PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;

CREATE TABLE image_scan (
    image_id      INTEGER PRIMARY KEY REFERENCES image (id) ON DELETE CASCADE,
    scan_type     TEXT NOT NULL,
    outcome       TEXT NOT NULL,         -- REQUESTED, DONE, FAILED, UNSUPPORTED, TOO_LARGE, CUT
    reason        TEXT NOT NULL,
    requested_at  INTEGER NOT NULL,
    completed_at  INTEGER NOT NULL,      -- 0: not yet
    source_at     INTEGER NOT NULL,      -- how old the content of the vulnerability database is; 0: unknown
    database_id   TEXT NOT NULL,         -- the state of the vulnerability database
    scanner       TEXT NOT NULL,
    counts        TEXT NOT NULL,         -- JSON: number of findings by severity
    sbom          TEXT,                  -- digest of the referrer with the bill of materials
    generation    INTEGER NOT NULL,      -- which findings are the current ones
    is_watched    INTEGER NOT NULL       -- whether to match it again when the vulnerability database changes
) STRICT;
CREATE INDEX image_scan_watched ON image_scan (image_id) WHERE is_watched = 1;
CREATE INDEX image_scan_failed ON image_scan (image_id) WHERE outcome = 'FAILED';

CREATE TABLE scan_finding (
    image_id       INTEGER NOT NULL REFERENCES image_scan (image_id) ON DELETE CASCADE,
    generation     INTEGER NOT NULL,
    position       INTEGER NOT NULL,     -- 0: the most severe one
    id             TEXT NOT NULL,        -- 32 hexadecimal digits
    first_seen_at  INTEGER NOT NULL,
    body           TEXT NOT NULL,        -- JSON
    PRIMARY KEY (image_id, generation, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE scanner_state (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    scanner      TEXT NOT NULL,
    database_id  TEXT NOT NULL,
    database_at  INTEGER NOT NULL,       -- how old the content of its vulnerability database is; 0: unknown
    problem      TEXT NOT NULL           -- empty: none
) STRICT;
