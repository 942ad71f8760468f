-- Repository creation templates: what repositories get that are created without anybody calling CreateRepository.
--
-- `prefix` has no slash at its end, and is ROOT for the template of all other names; `given` is what the client called it.

CREATE TABLE repository_template (
    account            TEXT NOT NULL,
    region             TEXT NOT NULL,
    prefix             TEXT NOT NULL,
    given              TEXT NOT NULL,
    applied_for        TEXT NOT NULL,      -- JSON list
    description        TEXT,
    tag_mutability     TEXT NOT NULL,
    exclusion_filters  TEXT NOT NULL,      -- JSON list of wildcard filters
    encryption_type    TEXT NOT NULL,
    kms_key            TEXT,
    resource_tags      TEXT NOT NULL,      -- JSON object
    repository_policy  TEXT,
    lifecycle_policy   TEXT,
    role               TEXT,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    PRIMARY KEY (account, region, prefix)
) STRICT;
