-- The audit trail: a Merkle log of what happened (docs/reference/audit-log.md).

-- Entries to be put into the log, queued in the transaction of what they record.
CREATE TABLE tlog_batches (
  batch       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  count       int NOT NULL,
  entries     bytea,                   -- as a bundle has them; null once they are in the log
  first_index bigint,                  -- in the log; null until then
  xact        xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seen        pg_snapshot              -- of a train-intent: what was there when it was queued
);
ALTER TABLE tlog_batches ALTER entries SET STORAGE EXTERNAL;
CREATE INDEX tlog_batches_waiting ON tlog_batches (batch) WHERE first_index IS NULL;

-- The log, as C2SP tlog-tiles has it: bundles of 256 entries, tiles of 256 hashes, the last ones partial.
CREATE TABLE tlog_bundles (
  bundle  bigint PRIMARY KEY,
  entries bytea NOT NULL
);
ALTER TABLE tlog_bundles ALTER entries SET STORAGE EXTERNAL;
CREATE TABLE tlog_tiles (
  level  smallint NOT NULL,
  tile   bigint NOT NULL,
  hashes bytea NOT NULL,
  PRIMARY KEY (level, tile)
);
ALTER TABLE tlog_tiles ALTER hashes SET STORAGE EXTERNAL;

-- One row, once there is an entry: how far the log has come, and what of it is signed. Whoever changes
-- it holds its lock.
CREATE TABLE tlog_head (
  singleton   boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  log         uuid NOT NULL DEFAULT gen_random_uuid(), -- which log it is, in backups too
  origin      text,                    -- its name, from the first key on: that of all its keys
  size        bigint NOT NULL,
  root        bytea NOT NULL,
  signed_size bigint NOT NULL DEFAULT 0,
  checkpoint  text
);

-- The keys that have signed the log, the last one in force. Each but the first has its entry.
CREATE TABLE tlog_keys (
  ordinal    int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  vkey       text NOT NULL UNIQUE,
  leaf_batch bigint,
  leaf_entry int,
  added_at   timestamptz NOT NULL DEFAULT now()
);

-- What a sample's content is committed to. The salt goes with the row.
ALTER TABLE samples
  ADD salt       bytea,
  ADD commitment bytea,                -- to id, label and encoding
  ADD membership bytea,                -- to its adapters
  ADD leaf_batch bigint,               -- with leaf_entry: the log's entry of its ingest
  ADD leaf_entry int;
-- From before there was a log; none once they are sealed.
CREATE INDEX samples_unsealed ON samples (sample_id) WHERE commitment IS NULL;

-- Seals of the samples that a replay has dropped, until it meets the same content again.
CREATE TABLE saved_seals (
  sample_id  text COLLATE "C" PRIMARY KEY,
  digest     bytea NOT NULL,
  salt       bytea NOT NULL,
  commitment bytea NOT NULL,
  membership bytea NOT NULL,
  leaf_batch bigint NOT NULL,
  leaf_entry int NOT NULL
);

-- What is taken out of the training sets when the removal is built.
ALTER TABLE removals
  ADD sample_id  text COLLATE "C",
  ADD commitment bytea,
  ADD membership bytea,
  ADD adapters   int[];

-- A request is committed to with a salt of its own. The entry is there if it removed nothing.
ALTER TABLE deletions
  ADD deadline   bigint,               -- microseconds since 1970
  ADD salt       bytea,
  ADD commitment bytea,
  ADD leaf_batch bigint,
  ADD leaf_entry int;
ALTER TABLE subject_erasures ADD request_commitment bytea;

-- Of each deleted sample what its certificate shows, and nothing of its content.
CREATE TABLE evidence (
  sample_id       text COLLATE "C" PRIMARY KEY,
  request_id      text COLLATE "C" NOT NULL,
  request         bytea NOT NULL,      -- the request's commitment
  commitment      bytea NOT NULL,
  membership_salt bytea NOT NULL,
  adapters        int[] NOT NULL,      -- nearest first
  ingest_batch    bigint NOT NULL,
  ingest_entry    int NOT NULL,
  delete_batch    bigint NOT NULL,
  delete_entry    int NOT NULL,
  deleted_at      timestamptz NOT NULL DEFAULT now(),
  applied_in      int REFERENCES versions, -- the first version since
  held_in         int REFERENCES versions, -- the last version that held it
  held_proof      bytea,               -- its presence in that version's retained set
  erasure         text,                -- what was erased where and when, canonical JSON
  erase_batch     bigint,
  erase_entry     int
);
CREATE INDEX evidence_by_key ON evidence (sha256(commitment));
CREATE INDEX evidence_by_request ON evidence (request_id);
CREATE INDEX evidence_not_applied ON evidence (sample_id) WHERE applied_in IS NULL;
CREATE INDEX evidence_not_erased ON evidence (sample_id) WHERE erasure IS NULL;

-- A version's entries in the log, and what is attested of it.
ALTER TABLE versions
  ADD started_at   timestamptz,
  ADD intent       bytea,              -- the entry
  ADD intent_batch bigint,
  ADD leaf         bytea,              -- the entry
  ADD leaf_batch   bigint,
  ADD statement    text,               -- in-toto, canonical JSON
  ADD attestation  jsonb;              -- DSSE envelopes, once signed

-- The cut that the training sets (`sets`) are at; no row before they are made.
CREATE TABLE set_cut (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  cut       jsonb NOT NULL              -- partition -> next position
);
