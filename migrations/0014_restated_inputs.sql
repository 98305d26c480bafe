-- Raw inputs go from a log that compacts within the deadline for what is deleted.

-- Whether there was a raw input among what is superseded.
ALTER TABLE restatements ADD raw boolean NOT NULL DEFAULT false;

-- A retained sample whose raw input must go: what stays is not a deletion but its own record with the
-- encoding, at declared_position.
ALTER TABLE erasures ADD restated boolean NOT NULL DEFAULT false;
CREATE INDEX erasures_restated ON erasures (partition, since) WHERE restated;
