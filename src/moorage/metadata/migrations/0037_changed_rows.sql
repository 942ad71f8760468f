-- Programs before this step may go on.
-- What changed while a migration copies rows (docs/decisions/0063-rows-before-the-seal.md). Triggers of the source add
-- to it; they exist only between the start of the copy and the end of the migration (metadata/engines/change_log.py).

CREATE TABLE changed_row (
    id          INTEGER PRIMARY KEY,
    table_name  TEXT NOT NULL,
    row_key     TEXT NOT NULL          -- the primary key before or after the change: a JSON array
) STRICT;
CREATE INDEX changed_row_by_table ON changed_row (table_name, id);
