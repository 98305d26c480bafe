import { equalBytes, toHex } from '../bytes.js';
import { must } from '../certificate/checklist.js';
import { leafHash } from '../hash.js';
import type { LeafOf } from '../leaves.js';

/** A version, as the log has it. */
export type LoggedVersion = {
  /** Of its entry. */
  readonly index: number;
  readonly leaf: LeafOf<'version'>;
  /** Hash of its entry. */
  readonly hash: Uint8Array;
  /** Of its train-intent: the first and the last such entry since the parent; builders may have raced. */
  readonly intentIndex: number;
  readonly lastIntentIndex: number;
  readonly intent: LeafOf<'train-intent'>;
};

/** Follows the versions of a log, from its first entry. */
export type Versions = {
  readonly intent: (index: number, entry: Uint8Array, leaf: LeafOf<'train-intent'>) => void;
  /** Throws why this entry cannot follow those before it. */
  readonly version: (index: number, entry: Uint8Array, leaf: LeafOf<'version'>) => void;
  readonly all: () => readonly LoggedVersion[];
};

export function versionsOf(): Versions {
  const versions: LoggedVersion[] = [];
  // Those since the last version: none that is older is anybody's. By leaf hash.
  let intents = new Map<
    string,
    Pick<LoggedVersion, 'intent' | 'intentIndex' | 'lastIntentIndex'>
  >();
  return {
    intent: (index, entry, intent) => {
      const hash = toHex(leafHash(entry));
      const intentIndex = intents.get(hash)?.intentIndex ?? index;
      intents.set(hash, { intent, intentIndex, lastIntentIndex: index });
    },
    version: (index, entry, leaf) => {
      const declared = intents.get(toHex(leaf.intent));
      intents = new Map();
      const parent = versions.at(-1);
      must(
        declared !== undefined,
        `entry ${index}: version ${leaf.version} has no train-intent between its parent and itself`,
      );
      versions.push({ index, leaf, hash: leafHash(entry), ...declared });
      follows(leaf, parent, declared.intent);
    },
    all: () => versions,
  };
}

function follows(
  leaf: LeafOf<'version'>,
  parent: LoggedVersion | undefined,
  intent: LeafOf<'train-intent'>,
): void {
  const { version } = leaf;
  if (parent) {
    const last = parent.leaf.version;
    must(version === last + 1, `version ${version} follows version ${last}`);
    must(
      leaf.parent !== null && equalBytes(leaf.parent, parent.hash),
      `the parent of version ${version} is not the version before it`,
    );
    must(
      equalBytes(leaf.config, parent.leaf.config),
      `version ${version} has another configuration than the version before it`,
    );
  } else must(leaf.parent === null, `version ${version}, the first, names a parent`);
  const same =
    equalBytes(leaf.config, intent.config) &&
    equalBytes(leaf.retainedRoot, intent.retainedRoot) &&
    leaf.retained === intent.retained;
  must(same, `version ${version} is not what its train-intent declared`);
}
