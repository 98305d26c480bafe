import { adaptersRoot, setsRoot, type TrainedAdapter } from '../adapters.js';
import { concat, equalBytes, toHex, utf8 } from '../bytes.js';
import { type Checklist, must } from '../certificate/checklist.js';
import { leafHash, sha256 } from '../hash.js';
import { rootOf } from '../log/merkle.js';
import { type Hashes, type Listed, membersOf, retainedSet, trainedAdapters } from './listed.js';
import type { ReplayedLog } from './log.js';
import type { ReplayCheckName } from './verify.js';
import type { LoggedVersion } from './versions.js';

type List = Checklist<ReplayCheckName>;

/** A commitment, for people. */
export const short = (commitment: Uint8Array): string => `${toHex(commitment).slice(0, 16)}…`;

/** Index of the parent's train-intent; 0 for the first version: it is obliged to nothing. */
function since({ versions }: ReplayedLog, version: LoggedVersion): number {
  return versions[versions.indexOf(version) - 1]?.intentIndex ?? 0;
}

/**
 * What the log has before the train-intent of the parent was projected before this version's cut; what it has
 * after its own train-intent was not. In between it may be one or the other: see docs/assurance.md.
 */
export function checkSamples(
  list: List,
  log: ReplayedLog,
  version: LoggedVersion,
  problem: string | null,
): void {
  const { samples } = log;
  const from = since(log, version);
  list.check('ingested', () => {
    must(problem === null, problem ?? '');
    return 'each sample was ingested before the train-intent, with the adapters that it has';
  });
  const rows = Array.from({ length: samples.count() }, (_, row) => row);
  list.check('deleted', () => {
    const gone = rows.filter((row) => samples.marked(row) >= 0 && !samples.isLive(row));
    const stale = gone.find((row) => samples.removed(row) < from);
    must(
      stale === undefined,
      `${short(samples.commitment(stale ?? 0))} was deleted by entry ${samples.removed(stale ?? 0)}, and the version has it`,
    );
    return `none was deleted before entry ${from}${later(gone.length, 'go with the next version')}`;
  });
  list.check('omitted', () => {
    const missing = rows.filter((row) => samples.marked(row) < 0 && samples.isLive(row));
    const omitted = missing.find((row) => samples.ingested(row) < from);
    must(
      omitted === undefined,
      `${short(samples.commitment(omitted ?? 0))}, ingested by entry ${samples.ingested(omitted ?? 0)} and not deleted, is not in the version`,
    );
    return `none is missing that was ingested before entry ${from}${later(missing.length, 'come with the next version')}`;
  });
}

const later = (count: number, what: string): string => (count > 0 ? `; ${count} ${what}` : '');

export function checkSets(
  list: List,
  listed: Listed,
  { leaf, intent }: LoggedVersion,
  { pairs }: Hashes = {},
): TrainedAdapter[] | undefined {
  list.check('retained-set', () => {
    const { setRoot, members } = retainedSet(listed, pairs);
    must(
      equalBytes(setRoot, leaf.retainedRoot) && members === leaf.retained,
      'the retained set has another root or size than the version declared',
    );
    return `the root over the ${members} retained samples is the version's`;
  });
  const trained = list.value(
    'adapter-sets',
    () => trainedAdapters(listed, membersOf(listed), pairs),
    (trained) => {
      must(
        equalBytes(setsRoot(trained), intent.sets),
        'the training sets have other roots than the train-intent declared',
      );
      must(
        equalBytes(adaptersRoot(trained), leaf.adapters),
        'training sets, weights digests and versions built in do not lead to the root of the version',
      );
      return `the roots of all ${trained.length} training sets are those of the version and its train-intent`;
    },
  );
  list.check('weights', () => {
    const { adapters } = listed.head;
    const root = rootOf(adapters.map(({ weights }) => leafHash(weights)));
    const model = sha256(concat(utf8('legonet.model.v1\n'), leaf.config, root));
    must(equalBytes(model, leaf.model), 'the weights digests do not lead to the model digest');
    return `the weights digests lead to the model digest ${toHex(model)}`;
  });
  return trained;
}

/** An adapter that is carried cannot have a member that came after it was built. */
export function checkCarried(
  list: List,
  listed: Listed,
  { samples, versions }: ReplayedLog,
  { leaf }: LoggedVersion,
): void {
  list.check('carried', () => {
    const first = versions[0]?.leaf.version ?? 0;
    const bounds = listed.head.adapters.map(({ builtIn }, adapter) => {
      must(builtIn <= leaf.version, `adapter ${adapter} says it was built in a later version`);
      if (builtIn === leaf.version || builtIn < first) return Number.POSITIVE_INFINITY;
      const built = versions[builtIn - first];
      must(
        built !== undefined,
        `adapter ${adapter} says it was built in a version that there is not`,
      );
      return built.lastIntentIndex;
    });
    for (let row = 0; row < samples.count(); row++) {
      const at = samples.marked(row) * listed.head.activated;
      if (at < 0) continue;
      for (const adapter of listed.adapters.subarray(at, at + listed.head.activated)) {
        must(
          samples.ingested(row) < (bounds[adapter] as number),
          `adapter ${adapter} was last built for version ${listed.head.adapters[adapter]?.builtIn}, and has ${short(samples.commitment(row))}, which came later`,
        );
      }
    }
    const carried = bounds.filter(Number.isFinite).length;
    return `none of the ${carried} carried adapters has a member that came after it was built`;
  });
}
