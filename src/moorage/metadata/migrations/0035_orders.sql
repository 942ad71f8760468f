-- Programs before this step may go on.
-- The orders in which statements read, so that they read only what they return.

CREATE INDEX replicated_image_by_digest ON replicated_image (digest);

-- The referrers of a subject by status, and by status and type.
DROP INDEX image_by_subject;
CREATE INDEX image_by_subject ON image (repository_id, subject, status, (id + 0)) WHERE subject IS NOT NULL;
CREATE INDEX image_by_subject_and_type ON image (repository_id, subject, artifact_type, status, (id + 0))
    WHERE subject IS NOT NULL;
