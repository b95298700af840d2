-- oldest reader: 2
-- Signing keys are sealed for their tenants. Those that are not yet (`sig_…`) are sealed when a server starts. The
-- columns have new names, so that nothing of an earlier release signs with what it cannot open.

ALTER TABLE signing_keys RENAME COLUMN current TO sealed_current;
ALTER TABLE signing_keys RENAME COLUMN next TO sealed_next;
