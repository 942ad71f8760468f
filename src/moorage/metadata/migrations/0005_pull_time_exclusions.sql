-- Principals whose pulls leave `image.last_pulled_at` as it is.

CREATE TABLE pull_time_exclusion (
    account     TEXT NOT NULL,
    region      TEXT NOT NULL,
    principal   TEXT NOT NULL,       -- ARN of a user or a role
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (account, region, principal)
) STRICT, WITHOUT ROWID;
