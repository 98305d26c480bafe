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
