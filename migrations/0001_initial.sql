-- Positions: a record is named by (partition, position) in the sample-events topic. They order the
-- records of one partition and are never reused.

-- The model in force: one to a database.
CREATE TABLE model (
  singleton     boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  name          text NOT NULL,
  configuration json NOT NULL,
  digest        text NOT NULL,
  keys          bytea,          -- int8 [adapters, dimension], for keys that came from a file
  projection    bytea,          -- float64 little-endian, row-major
  created_at    timestamptz NOT NULL DEFAULT now()
);

-- Next position to project, by partition. Written in the projection's own transaction.
CREATE TABLE offsets (
  partition int PRIMARY KEY,
  position  bigint NOT NULL,
  retained  bigint NOT NULL DEFAULT 0, -- samples that this partition added less those it removed
  -- A replay is complete, and may be built from, when it has come this far.
  replay_until bigint NOT NULL DEFAULT 0
);

-- Retained samples. A row is here if and only if the sample is in the retained set.
CREATE TABLE samples (
  sample_id         text COLLATE "C" PRIMARY KEY,
  partition         int NOT NULL,      -- of the record that gave it its content
  position          bigint NOT NULL,
  first_partition   int NOT NULL,      -- of the first content it ever had: which versions held it
  first_position    bigint NOT NULL,
  label             smallint NOT NULL, -- index into the model's classes
  encoding          bytea NOT NULL,    -- int8 [dimension]
  adapters          int[] NOT NULL,    -- its memberships, nearest first
  -- The least ingest and the greatest correction: (time, event id, source, content digest).
  ingest_time       bigint,
  ingest_id         text COLLATE "C",
  ingest_source     text COLLATE "C",
  ingest_digest     bytea,
  ingest_partition  int,
  ingest_position   bigint,
  correction_time   bigint,
  correction_id     text COLLATE "C",
  correction_source text COLLATE "C",
  correction_digest bytea,
  UNIQUE (partition, position)
);
ALTER TABLE samples ALTER encoding SET STORAGE EXTERNAL;

-- Samples gone for ever. Nothing of their content stays.
CREATE TABLE tombstones (
  sample_id          text COLLATE "C" PRIMARY KEY,
  partition          int NOT NULL,     -- of the record that removed it
  position           bigint NOT NULL,
  declared_partition int,              -- of the log's deletion record under the sample's own key
  declared_position  bigint,
  request_id         text COLLATE "C" NOT NULL,
  first_partition    int,              -- of its first content, if it was ever retained
  first_position     bigint
);
CREATE INDEX tombstones_by_request ON tombstones (request_id);

CREATE TABLE memberships (
  adapter   int NOT NULL,
  partition int NOT NULL,
  position  bigint NOT NULL,           -- with partition: the sample's record
  PRIMARY KEY (adapter, partition, position)
);

-- The earliest event time at which content of the sample named the subject.
CREATE TABLE sample_subjects (
  subject_id text COLLATE "C" NOT NULL,
  sample_id  text COLLATE "C" NOT NULL,
  first_time bigint NOT NULL,
  PRIMARY KEY (subject_id, sample_id)
);
CREATE INDEX sample_subjects_by_sample ON sample_subjects (sample_id);

-- Erasure is remembered: content that arrives late is erased too, up to this event time.
CREATE TABLE subject_erasures (
  subject_id   text COLLATE "C" PRIMARY KEY,
  erased_until bigint NOT NULL,
  request_id   text COLLATE "C" NOT NULL
);

-- Requests for deletion, each until the version that applies it.
CREATE TABLE deletions (
  request_id   text COLLATE "C" NOT NULL,
  kind         text NOT NULL CHECK (kind IN ('sample', 'subject')),
  target       text COLLATE "C" NOT NULL,
  reason       text,
  requested_at bigint,                -- microseconds since 1970
  partition    int NOT NULL,
  position     bigint NOT NULL,
  removed      int NOT NULL,           -- retained samples it removed
  received_at  timestamptz NOT NULL DEFAULT now(),
  version      int,                    -- the first version without them
  PRIMARY KEY (request_id, kind, target)
);
CREATE INDEX deletions_unapplied ON deletions (partition, position) WHERE version IS NULL;

-- Adapters whose members have changed since they were built. The mark carries the last position that
-- touched it, so that a builder clears only what its cut covers.
CREATE TABLE dirty_adapters (
  adapter   int NOT NULL,
  partition int NOT NULL,
  position  bigint NOT NULL,
  removed   bigint,                    -- the last position that took a member away
  since     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (adapter, partition)
) WITH (fillfactor = 50);

-- Content taken away and not yet out of the model: which versions must be retired.
CREATE TABLE removals (
  partition         int NOT NULL,      -- of the record that took it away
  position          bigint NOT NULL,
  content_partition int NOT NULL,
  content_position  bigint NOT NULL
);

-- One row an adapter: what is in service, and the lock that orders removals and statistics.
CREATE TABLE adapters (
  adapter        int PRIMARY KEY,
  version        int,                  -- built in
  members        int,
  weights_digest text
) WITH (fillfactor = 50);

-- Integer sums over the members with positions up to `through` (by partition), kept where cheaper. A
-- cache, made again from the members: unlogged, it is empty after a crash.
CREATE UNLOGGED TABLE adapter_statistics (
  adapter int PRIMARY KEY,
  count   int NOT NULL,
  through jsonb NOT NULL,
  sums    bytea NOT NULL
);
ALTER TABLE adapter_statistics ALTER sums SET STORAGE EXTERNAL;

CREATE TABLE weights (
  digest text PRIMARY KEY,
  bytes  bytea NOT NULL
);
ALTER TABLE weights ALTER bytes SET STORAGE EXTERNAL;

CREATE TABLE versions (
  version       int PRIMARY KEY,
  parent        int REFERENCES versions,
  model_digest  text NOT NULL,
  config_digest text NOT NULL,
  cut           jsonb NOT NULL,        -- partition -> next position: all before it is reflected
  rebuilt       int[] NOT NULL,
  carried       int NOT NULL,
  deletions     text[] NOT NULL,       -- request ids applied
  retained      bigint NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  published_at  timestamptz,
  retired_at    timestamptz,
  retired_by    int REFERENCES versions
);

-- Every build of every adapter: in force in the versions from `version` to before `until`.
CREATE TABLE adapter_revisions (
  adapter        int NOT NULL,
  version        int NOT NULL REFERENCES versions,
  until          int,
  members        int NOT NULL,
  weights_digest text NOT NULL,
  erased         boolean NOT NULL DEFAULT false,
  PRIMARY KEY (adapter, version)
);
CREATE INDEX adapter_revisions_by_weights ON adapter_revisions (weights_digest) WHERE NOT erased;
CREATE INDEX adapter_revisions_superseded ON adapter_revisions (version)
  WHERE until IS NOT NULL AND NOT erased;

CREATE TABLE outbox (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id     text NOT NULL UNIQUE,
  version      int NOT NULL REFERENCES versions,
  kind         text NOT NULL CHECK (kind IN ('published', 'retired')),
  key          text NOT NULL,
  value        bytea NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  published_at timestamptz
);
ALTER TABLE outbox ALTER value SET STORAGE EXTERNAL;
CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;

-- What could not be applied: why, where, and the raw record until its key is deleted.
CREATE TABLE dead_letters (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  partition   int NOT NULL,
  position    bigint NOT NULL,
  key         text COLLATE "C",
  value       bytea,
  headers     json NOT NULL DEFAULT '{}',
  record_time bigint NOT NULL,
  code        text NOT NULL,
  reason      text NOT NULL,
  digest      text,                    -- of content in conflict: one letter to a sample and content
  -- An unreadable deletion stops its partition until an operator skips it.
  stopping    boolean NOT NULL DEFAULT false,
  skipped_at  timestamptz,
  redriven_at timestamptz,
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX dead_letters_by_position ON dead_letters (partition, position)
  WHERE digest IS NULL;
CREATE UNIQUE INDEX dead_letters_by_content ON dead_letters (key, digest) WHERE digest IS NOT NULL;
-- Hashed: a key may be longer than an entry of a tree can be.
CREATE INDEX dead_letters_by_key ON dead_letters USING hash (key);

-- Payloads still to be erased from the event log.
CREATE TABLE erasures (
  sample_id text COLLATE "C" PRIMARY KEY,
  request_id text COLLATE "C" NOT NULL,
  partition  int,                      -- of the deletion's own record, if the log holds one
  position   bigint,
  since     timestamptz NOT NULL DEFAULT now()
);

-- Files being ingested: where to go on after an interruption.
CREATE TABLE ingest_progress (
  file text PRIMARY KEY,
  rows bigint NOT NULL
);

-- The embedded event log.
CREATE TABLE log_heads (
  topic text PRIMARY KEY,
  next  bigint NOT NULL DEFAULT 0
);
CREATE TABLE log_records (
  topic    text NOT NULL,
  position bigint NOT NULL,
  key      text COLLATE "C",
  value    bytea,
  headers  json,
  time     bigint NOT NULL,            -- microseconds since 1970
  PRIMARY KEY (topic, position)
);
CREATE INDEX log_records_by_key ON log_records USING hash (key);
ALTER TABLE log_records ALTER value SET STORAGE EXTERNAL;
