-- Signing in to the console: links that work once, and when tokens were last used.

ALTER TABLE tokens ADD COLUMN last_used_at INTEGER;

CREATE TABLE sign_in_links (
  hash TEXT PRIMARY KEY,     -- of the link's code
  token TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
  expires_at INTEGER         -- none: valid until its first use, or until the next such link of the token
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_in_links_of_token ON sign_in_links (token);
