-- What the versions' models were trained on, committed to: one compact sparse Merkle tree for each adapter's
-- training set and one for the whole retained set. Brought up to date with each version; pages hold hashes
-- and commitments' keys only (src/audit/sets/pages.ts).

CREATE TABLE sets (
  set   int PRIMARY KEY,               -- the adapter; -1: the whole retained set
  depth smallint NOT NULL,             -- 2^depth buckets
  count bigint NOT NULL,
  root  bytea NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE set_pages (
  set   int NOT NULL,
  level smallint NOT NULL,             -- 0: a bucket
  page  int NOT NULL,
  bytes bytea NOT NULL,                -- from 64 to some 4,000
  PRIMARY KEY (set, level, page)
  -- In line up to a block, for a page is read and written whole; with room for one more beside, so that
  -- its new version stays in the block and no index changes.
) WITH (fillfactor = 75, toast_tuple_target = 8160);
ALTER TABLE set_pages ALTER bytes SET STORAGE EXTERNAL;
