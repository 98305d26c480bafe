import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ingested, run } from '#src/cli/commands/ingest.js';
import { createContext } from '#src/cli/context.js';
import { temporaryFolder } from '../support/input.js';
import { tinyModel } from '../support/models.js';
import { openTestService, type TestService } from '../support/service.js';
import { smallEncoder } from '../support/tfjs-models.js';

const root = temporaryFolder();
const model = tinyModel({ encoder: smallEncoder, keys: { kind: 'random', seed: 'folder' } });
const [label = ''] = model.configuration.classes;
const COUNT = 30;
/** A batch ends at 16 MiB, before all are in it. Nothing is decoded here. */
const BYTES = 700_000;

let service: TestService;
beforeAll(async () => {
  service = await openTestService(model);
  mkdirSync(join(root, label));
  for (let i = 0; i < COUNT; i++) write(`${String(i).padStart(2, '0')}.png`, BYTES);
  write('01.png', 1_000_000);
});
afterAll(() => service.close());

const write = (name: string, bytes: number) =>
  writeFileSync(join(root, label, name), new Uint8Array(bytes));

/** `onSay` is called with what people are told, and may stop the command. */
async function ingest(onSay: (stop: () => void) => void = () => {}, settings = service.settings) {
  const controller = new AbortController();
  const printed: Ingested[] = [];
  const context = {
    ...createContext(settings, { json: true }, controller.signal),
    print: (value: unknown) => printed.push(...(value as Ingested[])),
    say: () => onSay(() => controller.abort()),
  };
  const code = await run(context, [root], { idPrefix: '' });
  return { code, ...printed[0] };
}

const sampleIds = async () => {
  const { rows } = await service.database.pool.query<{ key: string }>(
    'SELECT key FROM log_records ORDER BY position',
  );
  return rows.map(({ key }) => key);
};

test('an interrupted ingest of a folder goes on where it ended, and no image is missed or sent twice', async () => {
  await expect(ingest((stop) => stop())).rejects.toMatchObject({ code: 'interrupted' });
  const first = (await sampleIds()).length;
  expect(first).toBeGreaterThan(0);
  expect(first).toBeLessThan(COUNT - 1);
  // The one that is too large was told in the run before.
  expect(await ingest()).toMatchObject({ code: 0, resumedAt: first + 1, events: COUNT });
  const expected = Array.from(
    { length: COUNT },
    (_, i) => `${label}/${String(i).padStart(2, '0')}.png`,
  );
  expect(await sampleIds()).toEqual(expected.filter((id) => !id.endsWith('01.png')));
});

test('a folder that has changed since is begun anew: its rows are others', async () => {
  await expect(ingest((stop) => stop())).rejects.toMatchObject({ code: 'interrupted' });
  write('00-new.png', 10);
  expect(await ingest()).toMatchObject({ code: 1, resumedAt: 0, events: COUNT, rejected: 1 });
});

test('a model that takes no images is sent none', async () => {
  const other = await openTestService(tinyModel());
  try {
    await expect(ingest(undefined, other.settings)).rejects.toMatchObject({
      code: 'input_not_encodable',
    });
  } finally {
    await other.close();
  }
});
