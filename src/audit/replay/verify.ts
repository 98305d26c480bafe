import { equalBytes } from '../bytes.js';
import { type Check, type Checklist, checklist, must } from '../certificate/checklist.js';
import { readUnsigned } from '../certificate/keys.js';
import type { Certificate } from '../certificate/schema.js';
import { openCheckpoint } from '../log/checkpoint.js';
import { checkCarried, checkSamples, checkSets, short } from './checks.js';
import { checkEarlier } from './earlier.js';
import { keysFrom } from './key-chain.js';
import { type Hashes, type Listed, readListed } from './listed.js';
import { type LogSource, type ReplayedLog, replayLog } from './log.js';
import type { LoggedVersion } from './versions.js';

/*
 * Level 2: the log and the auditor's listing against a version that the log has signed.
 */

/** In the order in which they are made. */
export const REPLAY_CHECKS = [
  'log-entries',
  'log-key',
  'history',
  'listing',
  'ingested',
  'deleted',
  'omitted',
  'retained-set',
  'adapter-sets',
  'weights',
  'carried',
  'carried-sets',
] as const;

export type ReplayCheckName = (typeof REPLAY_CHECKS)[number];

/** The version that is looked at, and where a signed checkpoint has it. */
export type Claim = {
  readonly origin: string;
  /** The signed note: the log has that version, whatever checkpoint it has now. */
  readonly checkpoint: string;
  readonly version: number;
  /** Of its entry, and of that of its train-intent. */
  readonly index: number;
  readonly intentIndex: number;
};

/** Of a certificate that holds at level 1. */
export const claimOf = ({ origin, log, after }: Certificate): Claim => ({
  origin,
  checkpoint: log.checkpoint,
  version: after.version,
  index: after.index,
  intentIndex: after.intentIndex,
});

export type ReplayInput = {
  /** Signed by the log. */
  readonly claim: Claim;
  readonly vkey: string;
  readonly log: LogSource;
  /** The listing of that version. */
  readonly listing: AsyncIterable<Uint8Array>;
  /** Listings of versions before it, as far as they were kept. */
  readonly earlier?: readonly AsyncIterable<Uint8Array>[];
  readonly hashes?: Hashes & { readonly sha256?: (bytes: Uint8Array) => Uint8Array };
};

export type Replay = {
  readonly ok: boolean;
  readonly checks: readonly Check[];
  /** What level 3 goes on with, if all holds. */
  readonly found: {
    readonly log: ReplayedLog;
    readonly listed: Listed;
    readonly version: LoggedVersion;
  } | null;
};

type List = Checklist<ReplayCheckName>;

/** Never throws, whatever is read; checks that are left out are for tests. */
export async function verifyReplay(
  input: ReplayInput,
  without: ReadonlySet<ReplayCheckName> = new Set(),
): Promise<Replay> {
  const list = checklist(without);
  const found = await replay(list, input);
  const ok = !list.failed();
  return {
    ok,
    found: found ?? null,
    checks: list.inOrder(REPLAY_CHECKS, 'it needs what failed above'),
  };
}

async function replay(list: List, input: ReplayInput): Promise<Replay['found'] | undefined> {
  const log = await readLog(list, input);
  if (!log) return undefined;
  const version = checkHistory(list, input.claim, log);
  if (!version) return undefined;
  const reading = reader(log);
  const reads = await settle(() => readListed(input.listing, reading.each, input.hashes));
  const listed = list.value('listing', reads, ({ head }) => {
    const { retained, adapters } = head;
    must(head.version === version.leaf.version, `it is of version ${head.version}`);
    return `it is of version ${head.version}: ${retained} samples, ${adapters.length} adapters`;
  });
  if (!listed) return undefined;
  checkSamples(list, log, version, reading.problem());
  const trained = checkSets(list, listed, version, input.hashes);
  checkCarried(list, listed, log, version);
  const { earlier = [], hashes } = input;
  if (trained) await checkEarlier(list, trained, log.versions, earlier, hashes);
  return { log, listed, version };
}

/** Runs it now, and gives or throws later what came of it. */
async function settle<T>(work: () => Promise<T>): Promise<() => T> {
  try {
    const value = await work();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

async function readLog(
  list: List,
  { claim, vkey, log, hashes }: ReplayInput,
): Promise<ReplayedLog | undefined> {
  const { origin, checkpoint, intentIndex } = claim;
  const signed = readUnsigned(checkpoint);
  const note = await settle(() => log.checkpoint());
  const now = () => readUnsigned(note());
  const reads = await settle(() =>
    replayLog(log, [signed, now()], {
      until: intentIndex,
      ...(hashes?.sha256 && { hash: hashes.sha256 }),
    }),
  );
  const replayed = list.value('log-entries', reads, ({ size, roots }) => {
    [signed, now()].forEach(({ size, root }, i) => {
      const same = equalBytes(roots[i] as Uint8Array, root);
      must(same, `the first ${size} entries are not those that were signed`);
    });
    return `all ${size} entries were hashed again: they lead to the roots signed at ${signed.size} and ${size}`;
  });
  if (!replayed) return undefined;
  list.check('log-key', () => {
    const keys = keysFrom(vkey, origin, replayed.keys);
    openCheckpoint(note(), { keys: keys.slice(-1), origin });
    return `the log ${origin} has signed its state at ${replayed.size} entries`;
  });
  return replayed;
}

function checkHistory(
  list: List,
  claim: Claim,
  { versions, problem }: ReplayedLog,
): LoggedVersion | undefined {
  return list.value(
    'history',
    () => {
      const own = versions.find(({ index }) => index === claim.index);
      const named = own?.leaf.version === claim.version;
      must(named, `entry ${claim.index} is not that of version ${claim.version}`);
      return own;
    },
    () => {
      must(problem === null, problem ?? '');
      const [first] = versions;
      return `versions ${first?.leaf.version} to ${versions.at(-1)?.leaf.version} follow one another, each after its train-intent`;
    },
  );
}

/** Looks each listed sample up in the log. */
function reader({ samples }: ReplayedLog) {
  let problem: string | null = null;
  const each: Parameters<typeof readListed>[1] = ({ commitment }, row, membership) => {
    const found = samples.find(commitment);
    if (found < 0)
      problem ??= `the log has not ingested ${short(commitment)} before the train-intent`;
    else if (!equalBytes(samples.membership(found), membership)) {
      problem ??= `${short(commitment)} has other adapters than it was ingested with`;
    } else samples.mark(found, row);
  };
  return { each, problem: () => problem };
}
