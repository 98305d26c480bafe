import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { fromHex, toHex } from '#src/audit/bytes.js';
import {
  membershipCommitment,
  membershipSalt,
  type Opening,
  sampleCommitment,
  setKey,
} from '#src/audit/commitment.js';
import { sha256 } from '#src/audit/hash.js';
import { loggedSamples } from '#src/audit/replay/samples.js';
import type { Replay } from '#src/audit/replay/verify.js';
import { plainKernel } from '#src/kernel/plain.js';
import { activate, keysOf } from '#src/model/activation.js';
import { type BuiltModel, buildModel } from '#src/model/build.js';
import { modelDigest } from '#src/model/digest.js';
import { DATA_FILES, dataLine } from '#src/service/audit-data.js';
import { type ModelCheckName, verifyModel } from '#src/service/verify-model.js';
import { softmax, wasmTrainer } from '../support/engines.js';
import { configurationJson, syntheticBytes, syntheticRows, tinyModel } from '../support/models.js';

/*
 * What level 3 catches: lies about the training itself. Each holds at level 2: log, listing and data agree.
 */

type Found = NonNullable<Replay['found']>;
type Sample = Opening & { readonly adapters: readonly number[] };

const model = tinyModel();
const { dimension, classes } = model.shape;
const { activated } = model.configuration;
const folder = mkdtempSync(join(tmpdir(), 'legonet-test-model-lies-'));
afterAll(() => rmSync(folder, { recursive: true }));

const rows = syntheticRows('model lies', 40, dimension, classes);
const near = activate(plainKernel, keysOf(model), rows.encodings, 40, activated);
const samples: Sample[] = Array.from({ length: 40 }, (_, i) => ({
  id: `sample-${i}`,
  label: model.configuration.classes[rows.labels[i] ?? 0] ?? '',
  salt: sha256(syntheticBytes(`salt ${i}`, 32)),
  encoding: rows.encodings.slice(i * dimension, (i + 1) * dimension),
  adapters: Array.from(near.subarray(i * activated, (i + 1) * activated)),
}));

const built = (own: readonly Sample[]): BuiltModel =>
  buildModel(plainKernel, model, {
    encodings: Int8Array.from(own.flatMap(({ encoding }) => Array.from(encoding))),
    labels: own.map(({ label }) => model.classIndex.get(label) ?? 0),
  });

/** What level 2 would have found: these samples in the log and in the listing, and such weights. */
function found(own: readonly Sample[], digests: readonly string[], { digest } = model): Found {
  const sorted = own
    .map((sample) => ({ ...sample, commitment: sampleCommitment(sample) }))
    .sort((a, b) => Buffer.compare(a.commitment, b.commitment));
  const log = loggedSamples();
  const entries = sorted.flatMap(({ commitment, salt, adapters }, row) => {
    const membership = membershipCommitment(membershipSalt(salt), adapters);
    log.ingest(row, commitment, membership);
    log.mark(row, row);
    return [...setKey(commitment), ...membership];
  });
  const head = {
    version: 2,
    activated,
    retained: own.length,
    adapters: digests.map((digest) => ({ weights: fromHex(digest), builtIn: 2 })),
  };
  const leaf = {
    config: fromHex(digest),
    model: fromHex(modelDigest(digest, digests)),
  };
  return {
    log: { samples: log },
    listed: {
      head,
      entries: Uint8Array.from(entries),
      adapters: Uint32Array.from(sorted.flatMap(({ adapters }) => adapters)),
    },
    version: { leaf },
  } as unknown as Found;
}

function data(own: readonly Opening[], configuration: object = configurationJson()): string {
  const directory = mkdtempSync(join(folder, 'data-'));
  writeFileSync(join(directory, DATA_FILES.configuration), JSON.stringify(configuration));
  writeFileSync(join(directory, DATA_FILES.samples), own.map(dataLine).join(''));
  return directory;
}

const digestsOf = ({ adapters }: BuiltModel) => adapters.map(({ digest }) => digest);

async function failures(
  directory: string,
  claimed: Found,
  without: readonly ModelCheckName[] = [],
): Promise<string[]> {
  const never = new AbortController().signal;
  const checks = await verifyModel(directory, claimed, never, { without: new Set(without) });
  return checks.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name);
}

async function caught(directory: string, claimed: Found, by: readonly ModelCheckName[]) {
  expect(await failures(directory, claimed)).toEqual(by);
  expect(await failures(directory, claimed, by)).toEqual([]);
}

test('the truth passes', async () => {
  expect(await failures(data(samples), found(samples, digestsOf(built(samples))))).toEqual([]);
});

test('weights that do not match: trained on something else', async () => {
  const other = built(samples.map((sample) => ({ ...sample, label: 'a' })));
  await caught(data(samples), found(samples, digestsOf(other)), ['model']);
});

test('a stale adapter carried, with the set root of the set without the sample', async () => {
  const [gone, ...retained] = samples;
  const stale = gone?.adapters[0] ?? 0;
  const before = digestsOf(built(samples))[stale] ?? '';
  const digests = digestsOf(built(retained)).with(stale, before);
  expect(before).not.toBe(digestsOf(built(retained))[stale]);
  await caught(data(retained), found(retained, digests), ['model']);
});

test('a sample with other adapters than those that are nearest', async () => {
  const [first, ...others] = samples as [Sample, ...Sample[]];
  const adapters = first.adapters.toReversed();
  const moved = [{ ...first, adapters }, ...others];
  await caught(data(samples), found(moved, digestsOf(built(samples))), ['activation']);
});

test('data that are not what was committed to', async () => {
  const claimed = found(samples, digestsOf(built(samples)));
  const [first, ...others] = samples as [Sample, ...Sample[]];
  for (const changed of [
    { ...first, label: first.label === 'a' ? 'b' : 'a' },
    { ...first, encoding: first.encoding.with(0, 1 + (first.encoding[0] ?? 0)) },
    { ...first, id: 'another' },
  ]) {
    expect(await failures(data([changed, ...others]), claimed)).toEqual(['openings']);
  }
  expect(await failures(data(others), claimed)).toEqual(['openings']);
  expect(await failures(data([...samples, first]), claimed)).toEqual(['openings']);
});

test('a model of another configuration', async () => {
  const claimed = found(samples, digestsOf(built(samples)));
  const changed = configurationJson({ adapter: { kind: 'least-squares', lambda: 0.02 } });
  expect(await failures(data(samples, changed), claimed)).toEqual(['configuration']);
});

describe('a softmax model', async () => {
  const { trainer, backend } = await wasmTrainer();
  const trained = tinyModel({ adapter: softmax() });
  const configuration = configurationJson({ adapter: softmax() });
  const built = buildModel(plainKernel, trained, rows, trainer);
  const claimed = found(samples, digestsOf(built), trained);
  const dataOf = (named: unknown) => {
    const directory = data(samples, configuration);
    writeFileSync(join(directory, DATA_FILES.backend), JSON.stringify(named));
    return directory;
  };

  test('that is the truth passes, on the backend that it names', async () => {
    expect(await failures(dataOf(backend), claimed)).toEqual([]);
  });

  test('of another backend is not compared, and that is not said of its weights', async () => {
    for (const changes of [{ probe: '0'.repeat(64) }, { tensorflowJs: '4.21.0' }, { cpu: 'one' }]) {
      const directory = dataOf({ ...backend, ...changes });
      const checks = await verifyModel(directory, claimed, new AbortController().signal);
      expect(checks.slice(-2)).toEqual([
        {
          name: 'backend',
          outcome: 'failed',
          detail: expect.stringContaining(Object.keys(changes)[0] ?? ''),
        },
        { name: 'model', outcome: 'not checked', detail: expect.any(String) },
      ]);
    }
    expect(await failures(dataOf({ probe: 1 }), claimed)).toEqual(['backend']);
    expect(await failures(data(samples, configuration), claimed)).toEqual(['backend']);
  });

  test('with weights that do not match', async () => {
    const other = buildModel(plainKernel, trained, { ...rows, labels: Array(40).fill(0) }, trainer);
    const lie = found(samples, digestsOf(other), trained);
    expect(await failures(dataOf(backend), lie)).toEqual(['model']);
  });
});

test('data that cannot be read fail a check, and nothing else', async () => {
  const claimed = found(samples, digestsOf(built(samples)));
  expect(await failures(join(folder, 'none'), claimed)).toEqual(['configuration']);
  for (const text of ['', '{}\n', 'null\n', '\u0000', `${dataLine(samples[0] as Sample)}{`]) {
    const directory = data(samples);
    writeFileSync(join(directory, DATA_FILES.samples), text);
    expect(await failures(directory, claimed)).toEqual(['openings']);
  }
  expect(toHex(claimed.version.leaf.config)).toBe(model.digest);
});
