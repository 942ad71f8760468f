-- What the filters of lists test, in indexes: a page reads only the rows that it returns, however many do not match.
--
--   image.is_tagged     1 if a tag names the image; it changes with the tags (metadata/registry/images.py)
--   tag.image_status    the status of the tag's image; it changes with the image
--
-- Programs before this step would keep neither.

ALTER TABLE image ADD COLUMN is_tagged INTEGER NOT NULL DEFAULT 0;
UPDATE image SET is_tagged = 1 WHERE id IN (SELECT image_id FROM tag);
CREATE INDEX image_by_filter ON image (repository_id, status, is_tagged, (id + 0));   -- `_page` says why

ALTER TABLE tag ADD COLUMN image_status TEXT NOT NULL DEFAULT 'ACTIVE';
UPDATE tag SET image_status = 'ARCHIVED' WHERE image_id IN (SELECT id FROM image WHERE status = 'ARCHIVED');
CREATE INDEX tag_by_status ON tag (repository_id, image_status, name);

-- The orders in which pages are read. SQLite adds the key of the row to an index by itself, PostgreSQL does not.
DROP INDEX image_by_repository;
CREATE INDEX image_by_repository ON image (repository_id, id);
DROP INDEX repository_layer_by_blob;
CREATE INDEX repository_layer_by_blob ON repository_layer (blob_id, repository_id);
