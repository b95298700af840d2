-- oldest reader: 2
-- Signing in to the console: links that work once, and when tokens were last used.

ALTER TABLE tokens ADD COLUMN last_used_at bigint;

CREATE TABLE sign_in_links (
  hash text COLLATE "C" PRIMARY KEY,     -- of the link's code
  token text COLLATE "C" NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
  expires_at bigint                      -- none: valid until its first use, or until the next such link of the token
);

CREATE INDEX sign_in_links_of_token ON sign_in_links (token);
