-- The files of a model's tfjs encoder, so that all processes of a database have the same one: part 0 is
-- model.json, the others are its weights, one after another. Their digest is in the configuration.
CREATE TABLE encoder_files (
  part  int PRIMARY KEY CHECK (part >= 0),
  bytes bytea NOT NULL
);
ALTER TABLE encoder_files ALTER bytes SET STORAGE EXTERNAL;
