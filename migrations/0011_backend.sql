-- What softmax adapters are trained on: engine, versions, processor, probe. Null for least-squares.
ALTER TABLE model ADD COLUMN backend json;
