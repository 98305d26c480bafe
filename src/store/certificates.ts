import type { ClientBase } from 'pg';
import { type AdapterSet, adapterLeaves, type TrainedAdapter } from '../audit/adapters.js';
import { concat, equalBytes, fromBase64, fromHex } from '../audit/bytes.js';
import { composeCertificate, type Evidence, entriesOf } from '../audit/certificate/compose.js';
import { setKey } from '../audit/commitment.js';
import { decodeLeaf, type LeafOf } from '../audit/leaves.js';
import { multiproof, nodesOver, rootOf } from '../audit/log/merkle.js';
import { multiproofFromTiles } from '../audit/log/tile-proofs.js';
import { encodeSetProof } from '../audit/sets/encoding.js';
import { EMPTY } from '../audit/sets/tree.js';
import { LegonetError } from '../errors.js';
import { clampTime, formatTime } from '../events/time.js';
import { type Database, transaction } from './database.js';
import {
  type EvidenceRow,
  entryIndex,
  type RequestRow,
  readAdapterRows,
  readEvidence,
  readKeys,
  readNewestVersion,
  readRequest,
  readVersionEntry,
  type VersionRow,
} from './evidence.js';
import { proveInSets, RETAINED_SET, readSetStates } from './sets.js';
import { readHead, tileReader } from './tlog.js';

/** Which certificate: of a request, and of one sample where it has deleted several. */
export type CertificateQuery = {
  readonly requestId: string;
  readonly sampleId?: string | undefined;
};

/**
 * The deletion certificate of a sample, as of the version in service. Needs no signing key: it is made of
 * what the log and the sets hold. Throws `no_deletion`, `nothing_deleted`, `several_deleted`, and
 * `certificate_not_ready` (retryable) before the first version without the sample is published.
 */
export function certificateOf({ pool }: Database, query: CertificateQuery): Promise<string> {
  return transaction(
    pool,
    (client) => compose(client, query),
    'ISOLATION LEVEL REPEATABLE READ READ ONLY',
  );
}

async function compose(client: ClientBase, query: CertificateQuery): Promise<string> {
  const evidence = await readEvidence(client, query);
  const request = await readRequest(client, evidence);
  const latest = await readNewestVersion(client);
  const head = await readHead(client);
  const at = (batch: bigint | null, entry: number | null) =>
    entryIndex(client, batch, entry, head.signedSize);
  const version = await at(latest?.leaf_batch ?? null, 0);
  const deletion = await at(evidence.delete_batch, evidence.delete_entry);
  if (!latest?.signature || version === null || deletion === null || evidence.applied_in === null) {
    throw notReady();
  }
  const keys = await readKeys(client, head.signedSize);
  const first = await readVersionEntry(client, evidence.applied_in);
  const after = await afterOf(client, evidence, latest);
  const held = evidence.held_in === null ? null : await readVersionEntry(client, evidence.held_in);
  const erased = await erasedOf(evidence, at);
  const ingest = held ? null : await at(evidence.ingest_batch, evidence.ingest_entry);
  const applied = first.version === latest.version ? null : await appliedOf(first, at);
  const intentIndex = await at(latest.intent_batch, 0);
  if (applied === undefined || intentIndex === null || (!held && ingest === null)) throw notReady();
  const file: Omit<Evidence, 'log'> = {
    origin: originOf(head.checkpoint),
    request: { ...requestOf(request), index: deletion },
    sample: {
      commitment: evidence.commitment,
      adapters: evidence.adapters,
      membershipSalt: evidence.membership_salt,
    },
    before: held && beforeOf(held, evidence),
    ingested: ingest === null ? null : { index: ingest },
    applied: applied && { ...applied, parent: held ? 'before' : applied.parent },
    after: {
      ...after,
      index: version,
      intentIndex,
      parent: held && !applied ? 'before' : after.parent,
    },
    erased,
  };
  const log = { checkpoint: head.checkpoint ?? '', rotations: keys.rotations };
  const proof = await multiproofFromTiles(
    entriesOf({ ...file, log }),
    head.signedSize,
    tileReader(client),
  );
  return composeCertificate({ ...file, log: { ...log, proof: concat(...proof) } }, keys.vkey);
}

const notReady = () =>
  new LegonetError(
    'certificate_not_ready',
    'the first version without the sample is not published yet: try again in a moment',
    'retryable',
  );

/** A checkpoint's first line. */
const originOf = (checkpoint: string | null): string => checkpoint?.split('\n', 1)[0] ?? '';

function requestOf(row: RequestRow): Omit<Evidence['request'], 'index'> {
  return {
    id: row.request_id,
    kind: row.kind,
    target: row.target,
    salt: row.salt,
    requestedAt: row.requested_at === null ? null : formatTime(row.requested_at),
    loggedAt: formatTime(clampTime(row.logged_at)),
    deadline: formatTime(row.deadline),
  };
}

function leafOf(row: VersionRow): LeafOf<'version'> {
  const leaf = decodeLeaf(row.leaf);
  if (leaf.kind === 'version') return leaf;
  throw new LegonetError('tlog_corrupt', `version ${row.version} has no entry`, 'stop');
}

function intentOf(row: VersionRow): LeafOf<'train-intent'> {
  const leaf = decodeLeaf(row.intent);
  if (leaf.kind === 'train-intent') return leaf;
  throw new LegonetError('tlog_corrupt', `version ${row.version} has no intent`, 'stop');
}

function beforeOf(row: VersionRow, { held_proof }: EvidenceRow): Evidence['before'] {
  const { kind, config, retainedRoot, ...fields } = leafOf(row);
  return { ...fields, retained: Number(fields.retained), presence: held_proof ?? new Uint8Array() };
}

type At = (batch: bigint | null, entry: number | null) => Promise<number | null>;

/** Undefined if it is not in a signed checkpoint yet. */
async function appliedOf(row: VersionRow, at: At) {
  const { kind, config, intent, ...fields } = leafOf(row);
  const { code, sets } = intentOf(row);
  const [index, intentIndex] = [await at(row.leaf_batch, 0), await at(row.intent_batch, 0)];
  if (index === null || intentIndex === null) return undefined;
  return { ...fields, code, sets, retained: Number(fields.retained), index, intentIndex };
}

async function erasedOf(evidence: EvidenceRow, at: At): Promise<Evidence['erased']> {
  const index = await at(evidence.erase_batch, evidence.erase_entry);
  if (evidence.erasure === null || index === null) return null;
  const { places } = JSON.parse(evidence.erasure);
  return { index, places };
}

/** The version in service, and that the sample is in none of its sets. */
async function afterOf(client: ClientBase, evidence: EvidenceRow, row: VersionRow) {
  const { adapters: ids, commitment } = evidence;
  const leaf = leafOf(row);
  const states = await readSetStates(client);
  const setOf = (adapter: number): AdapterSet => {
    const state = states.get(adapter);
    return { setRoot: state?.root ?? EMPTY, members: BigInt(state?.count ?? 0) };
  };
  const trained = (await readAdapterRows(client)).map(
    ({ adapter, version, digest }): TrainedAdapter => ({
      ...setOf(adapter),
      weights: fromHex(digest),
      builtIn: version,
    }),
  );
  const leaves = adapterLeaves(trained);
  // While a version is committed and not yet signed, sets and adapters are ahead of what is in service.
  if (!equalBytes(rootOf(leaves), leaf.adapters)) throw notReady();
  const key = setKey(commitment);
  const proofs = await proveInSets(
    client,
    [RETAINED_SET, ...ids].map((set) => ({ set, key })),
  );
  const [absence = new Uint8Array(), ...absences] = proofs.map(({ proof }) =>
    encodeSetProof(proof),
  );
  const own = ids.map((id) => trained[id] as TrainedAdapter);
  const statement = JSON.parse(row.statement);
  return {
    absence,
    adapters: {
      absence: absences,
      builtIn: own.map(({ builtIn }) => builtIn),
      count: trained.length,
      members: own.map(({ members }) => Number(members)),
      proof: concat(
        ...multiproof(
          [...ids].sort((a, b) => a - b),
          trained.length,
          nodesOver(leaves),
        ),
      ),
      weights: concat(...own.map(({ weights }) => weights)),
    },
    code: fromHex(statement.predicate.code.sha256),
    config: leaf.config,
    cut: statement.predicate.cut,
    deletions: leaf.deletions,
    model: leaf.model,
    name: statement.subject[0].name,
    parent: leaf.parent,
    parentVersion: statement.predicate.parent,
    retained: Number(leaf.retained),
    retires: statement.predicate.retires,
    sets: intentOf(row).sets,
    signature: fromBase64(row.signature ?? ''),
    version: leaf.version,
  };
}
