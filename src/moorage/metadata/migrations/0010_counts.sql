-- What quotas are compared with, counted as it comes and goes: counting 100,000 rows for each push would be slow.

ALTER TABLE repository ADD COLUMN images INTEGER NOT NULL DEFAULT 0;

UPDATE repository SET images = (SELECT count(*) FROM image i WHERE i.repository_id = repository.id);

CREATE TABLE registry_count (
    account       TEXT NOT NULL,
    region        TEXT NOT NULL,
    repositories  INTEGER NOT NULL,
    PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;

INSERT INTO registry_count (account, region, repositories)
SELECT account, region, count(*) FROM repository GROUP BY account, region;
