import type { Queryable } from './database.js';

/** DSSE envelopes by what they attest; null before they are signed; undefined without such a version. */
export async function readAttestation(
  client: Queryable,
  version: number,
): Promise<Readonly<Record<string, unknown>> | null | undefined> {
  const { rows } = await client.query<{ attestation: Record<string, unknown> | null }>(
    'SELECT attestation FROM versions WHERE version = $1',
    [version],
  );
  return rows[0]?.attestation;
}

/** Ids of the samples that a request has deleted and that have certificates; the first `limit`. */
export async function readCertifiable(
  client: Queryable,
  requestId: string,
  limit: number,
): Promise<string[]> {
  const { rows } = await client.query<{ sample_id: string }>(
    'SELECT sample_id FROM evidence WHERE request_id = $1 ORDER BY sample_id LIMIT $2',
    [requestId, limit],
  );
  return rows.map((row) => row.sample_id);
}
