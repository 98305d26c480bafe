-- Builds that several processes share. Empty at all other times, and unlogged: after a crash of the
-- server there is neither the snapshot nor anything of it here.

CREATE UNLOGGED TABLE shared_builds (
  build    uuid PRIMARY KEY,
  snapshot text NOT NULL,              -- exported by the leader's session, and gone with it
  cut      jsonb NOT NULL              -- partition -> next position
);

-- The adapters to build. Whoever builds one holds its row locked. Without a reference, so that a build
-- can end though the lock's holder hangs.
CREATE UNLOGGED TABLE build_tasks (
  build    uuid NOT NULL,
  rank     int NOT NULL,               -- the largest first
  adapter  int NOT NULL,
  built_in int,                        -- the version it was last built in
  kept     boolean NOT NULL,           -- whether its statistics are
  PRIMARY KEY (build, rank)
);

-- What helpers have built. It goes with the build, and cannot come after it: no weights outlive it here.
CREATE UNLOGGED TABLE build_results (
  build    uuid NOT NULL REFERENCES shared_builds ON DELETE CASCADE,
  adapter  int NOT NULL,
  members  int NOT NULL,
  digest   text NOT NULL,
  bytes    bytea NOT NULL,
  builder  int NOT NULL,               -- process id of the session that held the task
  PRIMARY KEY (build, adapter)
);
ALTER TABLE build_results ALTER bytes SET STORAGE EXTERNAL;
