-- Programs before this step may go on.
--
-- How often the rules have changed: who there is, what they may do, and the repositories that there are. What is read
-- of these tables stays true until the number is another one, however much is pushed meanwhile (`Database.recall`).
--
-- A repository changes with every push, in its number of images; what rules are read from, its name, never does.

CREATE TABLE rules (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    revision  INTEGER NOT NULL
) STRICT;

INSERT INTO rules (id, revision) VALUES (1, 0);

CREATE TRIGGER iam_user_added AFTER INSERT ON iam_user BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER iam_user_changed AFTER UPDATE ON iam_user BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER iam_user_removed AFTER DELETE ON iam_user BEGIN UPDATE rules SET revision = revision + 1; END;

CREATE TRIGGER access_key_added AFTER INSERT ON access_key BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER access_key_changed AFTER UPDATE OF user_id, sealed_secret, active ON access_key
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER access_key_removed AFTER DELETE ON access_key BEGIN UPDATE rules SET revision = revision + 1; END;

CREATE TRIGGER iam_role_added AFTER INSERT ON iam_role BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER iam_role_changed AFTER UPDATE ON iam_role BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER iam_role_removed AFTER DELETE ON iam_role BEGIN UPDATE rules SET revision = revision + 1; END;

CREATE TRIGGER iam_policy_added AFTER INSERT ON iam_policy BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER iam_policy_changed AFTER UPDATE ON iam_policy BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER iam_policy_removed AFTER DELETE ON iam_policy BEGIN UPDATE rules SET revision = revision + 1; END;

CREATE TRIGGER attached_policy_added AFTER INSERT ON attached_policy
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER attached_policy_changed AFTER UPDATE ON attached_policy
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER attached_policy_removed AFTER DELETE ON attached_policy
    BEGIN UPDATE rules SET revision = revision + 1; END;

CREATE TRIGGER inline_policy_added AFTER INSERT ON inline_policy BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER inline_policy_changed AFTER UPDATE ON inline_policy BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER inline_policy_removed AFTER DELETE ON inline_policy BEGIN UPDATE rules SET revision = revision + 1; END;

CREATE TRIGGER registry_policy_added AFTER INSERT ON registry_policy
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER registry_policy_changed AFTER UPDATE ON registry_policy
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER registry_policy_removed AFTER DELETE ON registry_policy
    BEGIN UPDATE rules SET revision = revision + 1; END;

CREATE TRIGGER account_setting_added AFTER INSERT ON account_setting
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER account_setting_changed AFTER UPDATE ON account_setting
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER account_setting_removed AFTER DELETE ON account_setting
    BEGIN UPDATE rules SET revision = revision + 1; END;

CREATE TRIGGER pull_time_exclusion_added AFTER INSERT ON pull_time_exclusion
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER pull_time_exclusion_changed AFTER UPDATE ON pull_time_exclusion
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER pull_time_exclusion_removed AFTER DELETE ON pull_time_exclusion
    BEGIN UPDATE rules SET revision = revision + 1; END;

CREATE TRIGGER repository_added AFTER INSERT ON repository BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER repository_removed AFTER DELETE ON repository BEGIN UPDATE rules SET revision = revision + 1; END;

CREATE TRIGGER repository_policy_added AFTER INSERT ON repository_policy
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER repository_policy_changed AFTER UPDATE ON repository_policy
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER repository_policy_removed AFTER DELETE ON repository_policy
    BEGIN UPDATE rules SET revision = revision + 1; END;

CREATE TRIGGER resource_tag_added AFTER INSERT ON resource_tag BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER resource_tag_changed AFTER UPDATE ON resource_tag BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER resource_tag_removed AFTER DELETE ON resource_tag BEGIN UPDATE rules SET revision = revision + 1; END;
