-- Views for auditors, in a schema of their own: names and columns are a contract (docs/how-to/audit-views.md).
-- They read with their owner's rights, so whoever may read them needs none on the tables; what is in no
-- view (encodings, digests of content, payloads, headers, weights) cannot be had through them.

DO $$
BEGIN
  -- Even IF NOT EXISTS asks for the right to create one; the database's owner may have made it for us.
  IF to_regnamespace('audit') IS NULL THEN
    CREATE SCHEMA audit;
  END IF;
END $$;

CREATE VIEW audit.model WITH (security_barrier) AS
SELECT name, configuration, digest AS config_digest, created_at FROM model;

CREATE VIEW audit.partitions WITH (security_barrier) AS
SELECT partition, position AS next_position, retained AS retained_samples, replay_until FROM offsets;

CREATE VIEW audit.samples WITH (security_barrier) AS
SELECT s.sample_id, c.label, s.adapters, s.partition, s.position, s.first_partition, s.first_position,
       to_timestamp(s.ingest_time / 1e6) AS ingest_time,
       to_timestamp(s.correction_time / 1e6) AS correction_time
FROM samples s
LEFT JOIN (SELECT ordinality - 1 AS index, value AS label
           FROM model, json_array_elements_text(configuration -> 'classes') WITH ORDINALITY) AS c
  ON c.index = s.label;

CREATE VIEW audit.memberships WITH (security_barrier) AS
SELECT s.sample_id, m.adapter, array_position(s.adapters, m.adapter) AS rank
FROM samples s JOIN memberships m
  ON m.partition = s.partition AND m.position = s.position
 -- Implied, and what finds a sample's memberships by their index.
 AND m.adapter = ANY (s.adapters);

CREATE VIEW audit.sample_subjects WITH (security_barrier) AS
SELECT subject_id, sample_id, to_timestamp(first_time / 1e6) AS first_time FROM sample_subjects;

CREATE VIEW audit.deleted_samples WITH (security_barrier) AS
SELECT sample_id, request_id, partition, position, first_partition, first_position, erased_at
FROM tombstones;

CREATE VIEW audit.subject_erasures WITH (security_barrier) AS
SELECT subject_id, request_id, to_timestamp(erased_until / 1e6) AS erased_until FROM subject_erasures;

CREATE VIEW audit.erasures_waiting WITH (security_barrier) AS
SELECT key, partition, first_position, last_position, since, declared_position, declared_at
FROM erasures;

CREATE VIEW audit.deletions WITH (security_barrier) AS
SELECT d.request_id, d.kind, d.target, d.reason,
       to_timestamp(d.requested_at / 1e6) AS requested_at, d.received_at, d.partition, d.position,
       d.removed AS removed_samples,
       CASE WHEN v.published_at IS NULL THEN CASE WHEN d.version IS NULL THEN 'requested' ELSE 'applied' END
            WHEN l.known AND l.waiting = 0 THEN 'erased'
            ELSE 'published' END AS state,
       d.version AS applied_in_version, v.created_at AS applied_at, v.published_at,
       l.waiting AS erasures_waiting,
       CASE WHEN l.known AND l.waiting = 0 THEN l.erased_at END AS erased_at
FROM deletions d LEFT JOIN versions v USING (version)
CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE EXISTS (SELECT FROM erasures e WHERE e.key = k.key)) AS waiting,
         max(k.erased_at) AS erased_at,
         -- While the log is replayed it may not have come to the deletion yet.
         coalesce(bool_or(k.known), false) AS known
  FROM (SELECT sample_id AS key, erased_at, true AS known FROM tombstones
        WHERE d.kind = 'sample' AND sample_id = d.target
        UNION ALL
        SELECT sample_id, erased_at, false FROM tombstones
        WHERE d.kind = 'subject' AND request_id = d.request_id
        UNION ALL
        SELECT 'subject:' || subject_id, NULL, true FROM subject_erasures
        WHERE d.kind = 'subject' AND subject_id = d.target) AS k
) AS l;

CREATE VIEW audit.versions WITH (security_barrier) AS
SELECT version, parent, model_digest, config_digest, cut, retained AS retained_samples,
       rebuilt AS rebuilt_adapters, carried AS carried_adapters, deletions AS applied_requests,
       created_at, published_at, retired_at, retired_by
FROM versions;

CREATE VIEW audit.version_adapters WITH (security_barrier) AS
SELECT v.version, r.adapter, r.version AS built_in_version, r.members, r.weights_digest,
       r.erased AS weights_erased
FROM versions v
JOIN adapter_revisions r ON r.version <= v.version AND (r.until IS NULL OR r.until > v.version);

-- A version holds a sample if its cut lies between the sample's arrival and its deletion.
CREATE VIEW audit.version_samples WITH (security_barrier) AS
SELECT v.version, f.sample_id, f.deleted
FROM (SELECT sample_id, first_partition, first_position, NULL::int AS partition,
             NULL::bigint AS position, false AS deleted
      FROM samples
      UNION ALL
      SELECT sample_id, first_partition, first_position, partition, position, true
      FROM tombstones) AS f
JOIN versions v
  ON f.first_position < coalesce((v.cut ->> f.first_partition::text)::bigint, 0)
 AND (f.partition IS NULL OR f.position >= coalesce((v.cut ->> f.partition::text)::bigint, 0));

CREATE VIEW audit.dead_letters WITH (security_barrier) AS
SELECT id, partition, position, key, code, reason, stopping, value IS NOT NULL AS payload_kept,
       to_timestamp(record_time / 1e6) AS record_time, created_at, redriven_at, skipped_at
FROM dead_letters;

-- Roles belong to the server, so another database's migration may make this one at the same moment, and
-- we may not be allowed to make any: then a DBA makes it, and grants what is granted here.
DO $$
BEGIN
  IF to_regrole('legonet_auditor') IS NULL THEN
    CREATE ROLE legonet_auditor NOLOGIN;
  END IF;
EXCEPTION
  WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
END $$;

DO $$
BEGIN
  IF to_regrole('legonet_auditor') IS NOT NULL THEN
    GRANT USAGE ON SCHEMA audit TO legonet_auditor;
    -- By name: the schema may hold what is not ours.
    GRANT SELECT ON audit.model, audit.partitions, audit.samples, audit.memberships,
      audit.sample_subjects, audit.deleted_samples, audit.subject_erasures, audit.erasures_waiting,
      audit.deletions, audit.versions, audit.version_adapters, audit.version_samples,
      audit.dead_letters TO legonet_auditor;
  END IF;
END $$;
