-- Keys that are retained samples (`anchors`): which ones, and what waits to be placed by them.

ALTER TABLE samples
  ADD unplaced        boolean NOT NULL DEFAULT false, -- its adapters are not found yet
  ADD anchor_adapter  int,             -- whose anchor it is, if none has a lesser priority
  ADD anchor_priority bytea;
CREATE INDEX samples_unplaced ON samples (partition, position) WHERE unplaced;
CREATE INDEX samples_by_anchor ON samples (anchor_adapter, anchor_priority, sample_id)
  WHERE anchor_adapter IS NOT NULL;

-- The anchors by which all samples but the unplaced have their adapters. Their encodings are the samples'.
CREATE TABLE anchors (
  adapter   int PRIMARY KEY,
  sample_id text COLLATE "C" NOT NULL UNIQUE,
  partition int NOT NULL,              -- of the record that gave the sample its content
  position  bigint NOT NULL
);

-- One row where keys are anchors.
CREATE TABLE placement (
  singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  generation bigint NOT NULL DEFAULT 0, -- how often keys have changed, or placed samples have moved
  built      bigint NOT NULL DEFAULT 0  -- the generation that the last version is of
);

-- Samples that have moved since the training sets' cut, and what those have of them. None once it is built.
CREATE TABLE moves (
  commitment bytea PRIMARY KEY,
  sample_id  text COLLATE "C" NOT NULL,
  membership bytea NOT NULL,
  adapters   int[] NOT NULL
);

-- Members and key are those of before; other adapters of its members are not, and with them what they are committed to.
ALTER TABLE dirty_adapters ADD resealed boolean NOT NULL DEFAULT false;

ALTER TABLE saved_seals ADD adapters int[]; -- that the membership opens to

-- As before, but for samples that are not placed yet.
CREATE OR REPLACE VIEW audit.samples WITH (security_barrier) AS
SELECT s.sample_id, c.label, CASE WHEN s.unplaced THEN '{}' ELSE s.adapters END AS adapters,
       s.partition, s.position, s.first_partition, s.first_position,
       to_timestamp(s.ingest_time / 1e6) AS ingest_time,
       to_timestamp(s.correction_time / 1e6) AS correction_time
FROM samples s
LEFT JOIN (SELECT ordinality - 1 AS index, value AS label
           FROM model, json_array_elements_text(configuration -> 'classes') WITH ORDINALITY) AS c
  ON c.index = s.label;
