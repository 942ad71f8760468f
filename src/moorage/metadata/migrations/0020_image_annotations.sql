-- The annotations of an image move from its row to a table of their own. They can have 4 MiB, and only lists of
-- referrers show them; reading any later column of the row meant reading past them.
--
--   image ── image_annotations (only images that have annotations)

CREATE TABLE image_annotations (
    image_id     INTEGER PRIMARY KEY REFERENCES image (id) ON DELETE CASCADE,
    annotations  TEXT NOT NULL          -- JSON object
) STRICT;

INSERT INTO image_annotations (image_id, annotations) SELECT id, annotations FROM image WHERE annotations <> '{}';
UPDATE image SET annotations = '{}' WHERE annotations <> '{}';
