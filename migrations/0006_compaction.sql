-- What a log that keeps only the last record of each key must be told again.

-- Samples whose last record in a partition does not say all that is known of them.
CREATE TABLE restatements (
  sample_id text COLLATE "C" NOT NULL,
  partition int NOT NULL,
  position  bigint NOT NULL,           -- of that record
  PRIMARY KEY (sample_id, partition)
);

-- Dead letters are announced in their topic.
ALTER TABLE dead_letters
  ADD announced_at timestamptz,
  ADD revision bigint NOT NULL DEFAULT 0; -- how often its record has come back
CREATE INDEX dead_letters_unannounced ON dead_letters (id) WHERE announced_at IS NULL;
