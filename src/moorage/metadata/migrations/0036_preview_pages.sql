-- The results of the preview of a lifecycle policy, many in one row, so that a preview of a large repository is written
-- in little time. Previews that were made before this step are dropped, because they are kept for a day only.
--
--   repository ── lifecycle_preview ─< lifecycle_preview_page

DROP TABLE lifecycle_preview_result;
DELETE FROM lifecycle_preview;

CREATE TABLE lifecycle_preview_page (
    repository_id  INTEGER NOT NULL REFERENCES lifecycle_preview (repository_id) ON DELETE CASCADE,
    is_tagged      INTEGER NOT NULL,     -- 1 for images with tags, 0 for images without
    last_image     INTEGER NOT NULL,     -- the largest id of its images, which are sorted by id
    results        BLOB NOT NULL,        -- MessagePack: a list of results
    PRIMARY KEY (repository_id, last_image)
) STRICT;
CREATE INDEX lifecycle_preview_page_by_tags ON lifecycle_preview_page (repository_id, is_tagged, last_image);
