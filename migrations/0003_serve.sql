-- What subscribers tell, and what operators measure.

-- Which subscriber has taken which version into use, and when it first said so.
CREATE TABLE adoptions (
  subscriber text COLLATE "C" NOT NULL,
  version    int NOT NULL REFERENCES versions,
  adopted_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (subscriber, version)
);

-- When the log took the request in, microseconds since 1970; null for those before this column.
ALTER TABLE deletions ADD logged_at bigint;

-- Whether weights that are not there any more ever were.
CREATE INDEX adapter_revisions_erased ON adapter_revisions (weights_digest) WHERE erased;

-- Where a subscriber that is new begins.
CREATE INDEX outbox_of_versions ON outbox (version, kind);
