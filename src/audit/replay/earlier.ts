import { adaptersRoot, type TrainedAdapter } from '../adapters.js';
import { equalBytes } from '../bytes.js';
import { type Checklist, must } from '../certificate/checklist.js';
import { type Hashes, membersOf, readListed, trainedAdapters } from './listed.js';
import type { ReplayCheckName } from './verify.js';
import type { LoggedVersion } from './versions.js';

/** What a carried adapter was when it was built, as far as the listing of that version was kept. */
type Earlier = { readonly version: LoggedVersion; readonly trained: readonly TrainedAdapter[] };

/**
 * That adapters carried from versions of which an earlier listing is given have the training sets that they had
 * there: then nothing was taken from a set without training again. Throws nothing.
 */
export async function checkEarlier(
  list: Checklist<ReplayCheckName>,
  trained: readonly TrainedAdapter[],
  versions: readonly LoggedVersion[],
  listings: readonly AsyncIterable<Uint8Array>[],
  hashes: Hashes | undefined,
): Promise<void> {
  if (listings.length === 0) {
    list.skip(
      'carried-sets',
      'whether carried adapters lost members shows only with earlier listings',
    );
    return;
  }
  const read: Earlier[] = [];
  let problem: unknown = null;
  try {
    for (const listing of listings) read.push(await readEarlier(listing, versions, hashes));
  } catch (error) {
    problem = error;
  }
  list.check('carried-sets', () => {
    if (problem !== null) throw problem;
    let compared = 0;
    for (const { version, trained: then } of read) {
      trained.forEach(({ builtIn, setRoot, weights }, adapter) => {
        if (builtIn !== version.leaf.version) return;
        const before = then[adapter] as TrainedAdapter;
        const what = `adapter ${adapter}, carried from version ${builtIn},`;
        must(equalBytes(setRoot, before.setRoot), `${what} had another training set there`);
        must(equalBytes(weights, before.weights), `${what} had other weights there`);
        compared++;
      });
    }
    return `${compared} adapters have the training sets and weights of the version that they were built in`;
  });
}

async function readEarlier(
  listing: AsyncIterable<Uint8Array>,
  versions: readonly LoggedVersion[],
  hashes: Hashes | undefined,
): Promise<Earlier> {
  const listed = await readListed(listing, () => {}, hashes);
  const version = versions.find(({ leaf }) => leaf.version === listed.head.version);
  must(version !== undefined, `the log has no version ${listed.head.version}`);
  const trained = trainedAdapters(listed, membersOf(listed), hashes?.pairs);
  must(
    equalBytes(adaptersRoot(trained), version.leaf.adapters),
    `the earlier listing does not lead to the root of version ${version.leaf.version}`,
  );
  return { version, trained };
}
