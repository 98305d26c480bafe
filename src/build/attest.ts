import type { ClientBase } from 'pg';
import { adapterEntry, setEntry } from '../audit/adapters.js';
import { fromHex } from '../audit/bytes.js';
import { leafHash, sha256 } from '../audit/hash.js';
import { encodeLeaf } from '../audit/leaves.js';
import type { SetState } from '../audit/sets/pages.js';
import { EMPTY } from '../audit/sets/tree.js';
import { type Retirement, unlearningPayload } from '../audit/statement.js';
import { LegonetError } from '../errors.js';
import type { Model } from '../model/model.js';
import { byteaArray } from '../store/arrays.js';
import { type Database, queryPrepared } from '../store/database.js';
import { RETAINED_SET } from '../store/sets.js';
import { packEntries, queueEntries } from '../store/tlog-queue.js';
import { codeDigest } from './code-digest.js';
import type { NewVersion } from './commit.js';
import { EntryTree } from './entry-tree.js';
import { type BuildPlan, cutJson } from './plan.js';
import type { SetsAtCut } from './sets.js';

/** What is about to be trained, as the audit log has it: its entry, and the batch that queued it. */
export type Intent = {
  readonly entry: Uint8Array;
  readonly batch: bigint;
  readonly declaredAt: Date;
};

/**
 * Commits to the training sets before any adapter is trained on them. Throws `sets_disagree` (stop) if
 * they do not hold what the projection counts.
 */
export async function declareIntent(
  { pool }: Database,
  model: Model,
  plan: BuildPlan,
  sets: SetsAtCut,
  declaredAt: Date,
): Promise<Intent> {
  checkSets(plan, sets);
  const { root, count } = stateOf(sets, RETAINED_SET);
  const entry = encodeLeaf({
    kind: 'train-intent',
    config: fromHex(model.digest),
    code: codeDigest(),
    sets: setTree.root(plan.digests.map((_, adapter) => stateOf(sets, adapter))),
    retainedRoot: root,
    retained: BigInt(count),
  });
  // The next build sees all that is before it in the log: see docs/assurance.md.
  const batch = await queueEntries(pool, [entry], true);
  return { entry, batch, declaredAt };
}

type TrainingSet = Pick<SetState, 'root' | 'count'>;
type Trained = TrainingSet & { readonly digest: string; readonly builtIn: number };

const isSameSet = (a: TrainingSet, b: TrainingSet): boolean =>
  a.root === b.root && a.count === b.count;

/** Of the last build. */
const setTree = new EntryTree<TrainingSet>(isSameSet, (set) => setEntry(entryOf(set)));
const adapterTree = new EntryTree<Trained>(
  (a, b) => isSameSet(a, b) && a.digest === b.digest && a.builtIn === b.builtIn,
  ({ digest, builtIn, ...set }) =>
    adapterEntry({ ...entryOf(set), weights: fromHex(digest), builtIn }),
);

const entryOf = ({ root, count }: TrainingSet) => ({ setRoot: root, members: BigInt(count) });

const NO_SET = { root: EMPTY, count: 0 };

const stateOf = ({ states }: SetsAtCut, set: number) => states.get(set) ?? NO_SET;

/** The projection counts and marks in its way, the sets in theirs: they must come to the same. */
function checkSets(plan: BuildPlan, sets: SetsAtCut): void {
  const { count } = stateOf(sets, RETAINED_SET);
  const dirty = new Set([RETAINED_SET, ...plan.dirty.map(({ adapter }) => adapter)]);
  const clean = [...sets.prepared.keys()].find((set) => !dirty.has(set));
  if (BigInt(count) === plan.retained && clean === undefined) return;
  const reason =
    clean === undefined
      ? `the retained set has ${count} samples, the projection ${plan.retained}`
      : `the members of adapter ${clean} have changed, and it is not marked`;
  throw new LegonetError('sets_disagree', `${reason}: run \`legonet replay\``, 'stop');
}

/**
 * Queues the version's entry, in its transaction, and keeps what goes with it. Throws `build_overtaken` (retryable) if the
 * sets are not at the cut any more that the build began with: the marks that it has cleared are a replay's.
 */
export async function recordVersion(
  client: ClientBase,
  model: Model,
  next: NewVersion,
  retired: readonly number[],
  now: Date,
): Promise<void> {
  const { version, parent, plan, sets, intent } = next;
  const { root, count } = stateOf(sets, RETAINED_SET);
  const trained = trainedAdapters(next);
  const adapters = adapterTree.root(trained);
  const config = fromHex(next.configDigest);
  const digest = fromHex(next.modelDigest);
  const intentHash = leafHash(intent.entry);
  const payload = unlearningPayload({
    name: model.configuration.name,
    model: digest,
    version,
    parent,
    cut: cutJson(plan.cut),
    config,
    code: codeDigest(),
    adapters: { root: adapters, count: trained.length },
    retained: { root, count },
    deletions: plan.deletions.length,
    intent: intentHash,
    retires: ranges(retired, now),
  });
  const entry = encodeLeaf({
    kind: 'version',
    version,
    model: digest,
    config,
    adapters,
    retainedRoot: root,
    retained: BigInt(count),
    deletions: plan.deletions.length,
    intent: intentHash,
    parent: plan.latest?.entry ? leafHash(plan.latest.entry) : null,
    statement: sha256(payload),
  });
  const { rowCount } = await queryPrepared(
    client,
    `WITH moved AS (
       UPDATE set_cut SET cut = $8 WHERE cut = $12::jsonb RETURNING 1
     ), held AS (
       UPDATE evidence e SET held_in = $9, held_proof = h.proof
       FROM unnest($10::bytea[], $11::bytea[]) AS h(key, proof)
       WHERE sha256(e.commitment) = h.key AND e.held_in IS NULL
     ), queued AS (
       INSERT INTO tlog_batches (count, entries) VALUES (1, $5) RETURNING batch
     )
     UPDATE versions SET intent = $2, intent_batch = $3, leaf = $4, statement = $6, started_at = $7,
       leaf_batch = (SELECT batch FROM queued)
     WHERE version = $1 AND EXISTS (SELECT FROM moved)`,
    [
      version,
      intent.entry,
      intent.batch,
      entry,
      packEntries([entry]),
      Buffer.from(payload).toString('utf8'),
      intent.declaredAt,
      JSON.stringify(cutJson(plan.cut)),
      parent,
      byteaArray(sets.held.map(({ key }) => key)),
      byteaArray(sets.held.map(({ proof }) => proof)),
      JSON.stringify(cutJson(plan.setCut ?? plan.cut)),
    ],
  );
  if (rowCount === 1) return;
  throw new LegonetError('build_overtaken', 'a replay has dropped the sets since', 'retryable');
}

/** What the version says of each adapter, in order of id. */
function trainedAdapters({ version, plan, built, sets }: NewVersion): Trained[] {
  return plan.digests.map((digest, adapter) => {
    const { root, count } = stateOf(sets, adapter);
    const rebuilt = built.get(adapter);
    const builtIn = rebuilt ? version : (plan.builtIn[adapter] ?? version);
    return { root, count, digest: rebuilt?.digest ?? digest ?? '', builtIn };
  });
}

/** Versions that follow each other as one. */
function ranges(versions: readonly number[], now: Date): Retirement[] {
  const retiredAt = now.toISOString();
  const found: { first: number; last: number; retiredAt: string }[] = [];
  for (const version of versions) {
    const before = found.at(-1);
    if (before?.last === version - 1) before.last = version;
    else found.push({ first: version, last: version, retiredAt });
  }
  return found;
}
