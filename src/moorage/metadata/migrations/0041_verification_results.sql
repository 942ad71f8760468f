-- Programs before this step may go on. They record no results of verifications.
-- What `moorage verify` found: in the last run that completed, and in the one that is under way or was interrupted.
--
--   verification_run <- verification_finding

CREATE TABLE verification_run (
    is_complete  INTEGER PRIMARY KEY,      -- 1: the last one that completed; 0: the one that has not
    began_at     INTEGER NOT NULL,
    ended_at     INTEGER,                  -- NULL until it completes
    findings     INTEGER NOT NULL,
    unrepaired   INTEGER NOT NULL          -- layers and manifests that cannot be served
) STRICT;

CREATE TABLE verification_finding (
    is_complete  INTEGER NOT NULL,         -- as in its run
    number       INTEGER NOT NULL,         -- from 1, in the order in which they were found
    what         TEXT NOT NULL,            -- for example: damaged blob
    name         TEXT NOT NULL,            -- a digest, a repository and digest, or the key of an object
    detail       TEXT NOT NULL,
    is_repaired  INTEGER NOT NULL,
    PRIMARY KEY (is_complete, number),
    UNIQUE (is_complete, name)
) STRICT;
