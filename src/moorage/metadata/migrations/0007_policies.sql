-- Policies of resources, as the texts that ECR gives back.
--
--   repository ── repository_policy            registry (account, region) ── registry_policy

CREATE TABLE repository_policy (
    repository_id  INTEGER PRIMARY KEY REFERENCES repository (id) ON DELETE CASCADE,
    text           TEXT NOT NULL
) STRICT;

CREATE TABLE registry_policy (
    account  TEXT NOT NULL,
    region   TEXT NOT NULL,
    text     TEXT NOT NULL,
    PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;
