-- Kept sums are those of the cut at which the adapter in service was built; `without`: the removals before
-- these positions, by partition, are subtracted from them. A cache: made again as adapters are built.
TRUNCATE adapter_statistics;
ALTER TABLE adapter_statistics ADD without jsonb NOT NULL;
