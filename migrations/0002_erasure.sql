-- Erasure from the log by key and partition, until it is confirmed.

-- Where the log holds records of a sample: partition -> first position. Null: its first content's alone.
ALTER TABLE samples ADD payloads jsonb;

ALTER TABLE tombstones
  DROP COLUMN declared_partition,
  DROP COLUMN declared_position,
  ADD erased_at timestamptz;           -- when nothing of it was left in the log

DROP TABLE erasures;
-- Records to be erased from the log: all of a key in a partition but the log's own deletion record.
CREATE TABLE erasures (
  key               text COLLATE "C" NOT NULL, -- a sample's id, or 'subject:' and a subject's
  partition         int NOT NULL,
  first_position    bigint NOT NULL,   -- none of the key is before it
  last_position     bigint NOT NULL,   -- the last that the projection has seen
  since             timestamptz NOT NULL DEFAULT now(),
  declared_position bigint,            -- of the log's own deletion record, after all of them
  declared_at       timestamptz,
  PRIMARY KEY (key, partition)
);
CREATE INDEX erasures_undeclared ON erasures (since) WHERE declared_position IS NULL;
CREATE INDEX erasures_declared ON erasures (declared_at) WHERE declared_position IS NOT NULL;
