-- Programs before this step may go on.
-- The format of an event target. A delivery stays stored in EventBridge's shape and is rendered when it is sent, so
-- waiting deliveries keep their meaning, and a program before this step can deliver them: it sends EventBridge's shape.

ALTER TABLE webhook ADD COLUMN format TEXT NOT NULL DEFAULT 'eventbridge';
