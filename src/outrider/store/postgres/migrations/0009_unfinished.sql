-- oldest reader: 2
-- What is not finished, by one name in both modes. Where nothing has been counted yet, or much has come since, a planner
-- that is to look for `finished_at IS NULL` expects next to nothing there, and reads and sorts all of it.

-- full:
COMMENT ON TABLE messages_unfinished IS 'What is not finished. The portable mode has a view of that name.';
-- portable:
CREATE VIEW messages_unfinished AS
SELECT seq, tenant, host, state, due_at FROM messages WHERE finished_at IS NULL;
