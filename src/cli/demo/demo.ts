import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LegonetError } from '../../errors.js';
import { catchUp } from '../../service/catch-up.js';
import { buildFromScratch } from '../../service/from-scratch.js';
import { requestDeletions } from '../../service/request-deletions.js';
import type { Service } from '../../service/service.js';
import { readSample, readVersions, type VersionRow } from '../../store/audit.js';
import { loadServedModel } from '../../store/served-model.js';
import { ingestFile } from '../commands/ingest.js';
import type { Context } from '../context.js';
import { createProgress } from '../progress.js';
import { accuracy, accuracyOfOneHead } from './accuracy.js';
import { pictures } from './picture.js';
import { type LabelledRow, readRows } from './rows.js';

const DIGITS = fileURLToPath(new URL('../../../examples/digits/', import.meta.url));
export const DIGITS_MODEL = join(DIGITS, 'MODEL.json');

const SHOWN = 5;

/**
 * The whole story on real digits: stream, publish, delete a sample, erase a subject, and check every
 * version against a build that never saw the deleted. Returns whether every check held.
 */
export async function demo(context: Context, service: Service): Promise<boolean> {
  const stream = join(DIGITS, 'stream.csv.gz');
  const training = await readRows(stream);
  const test = await readRows(join(DIGITS, 'test.csv.gz'));
  const tell = (...lines: string[]) => void process.stdout.write(`${lines.join('\n')}\n`);

  tell(
    '',
    `1. ${training.length} handwritten digits arrive as events; here are the first ${SHOWN}.`,
    '',
    pictures(training.slice(0, SHOWN).map(({ encoding }) => encoding)),
    '',
  );
  await ingestFile(context, { ...service, close: async () => {} }, service.model, stream, {});
  const before = (await readVersions(service.database.pool)).at(-1)?.version;
  const first = await publish(context, service);
  const served = await loadServedModel(service.database, service.model);
  const lego = accuracy(service.kernel, service.model, served?.weights ?? [], test);
  const retained = await onlyRetained(service, training);
  const head = accuracyOfOneHead(service.kernel, service.model, retained, test);
  tell(
    first.version === before
      ? `2. Nothing new: they were here before, and what was deleted stays deleted.\n` +
          `     Version ${first.version} stays in service: ${first.retained} samples.`
      : `2. Version ${first.version} is published: ${first.retained} samples, ${first.rebuilt.length} adapters built.`,
    `     digest ${first.modelDigest}`,
    `     On ${test.length} digits that it has not seen, ${lego.toFixed(1)} % are right;`,
    `     one linear head on the same samples gets ${head.toFixed(1)} %.`,
  );
  const checks = [await check(context, service, tell)];

  const sample = await firstRetained(service, training);
  tell(
    '',
    `3. Somebody asks for ${sample.sampleId} to be deleted.`,
    '',
    pictures([sample.encoding]),
    '',
  );
  const { adapters } = await readSample(service.database.pool, sample.sampleId);
  tell(`     It is in adapters ${adapters.join(', ')} (nearest first).`);
  const second = await remove(context, service, 'sample', sample.sampleId);
  tellVersion(tell, second);
  checks.push(await check(context, service, tell));

  const person = await firstRetained(service, training);
  const subject = person.subjectId ?? '';
  tell('', `4. ${subject} withdraws consent: every sample of theirs has to go.`);
  const third = await remove(context, service, 'subject', subject);
  tellVersion(tell, third);
  checks.push(await check(context, service, tell));

  tell(
    '',
    'Look around: `npx legonet status`, `versions`, `deletions`,',
    `\`sample ${sample.sampleId}\`, \`adapter ${adapters[0]}\`, \`rebuild --from-scratch --check\`.`,
  );
  return checks.every(Boolean);
}

type Tell = (...lines: string[]) => void;

function tellVersion(
  tell: Tell,
  { version, parent, rebuilt, carried, modelDigest }: VersionRow,
): void {
  tell(
    `     Version ${version} is published: ${rebuilt.length} adapters rebuilt, ${carried} carried over;`,
    `     version ${parent} is retired, its superseded weights are erased.`,
    ...wrapped(`rebuilt: ${rebuilt.join(', ')}`),
    `     digest ${modelDigest}`,
  );
}

const WIDTH = 76;

/** Indented lines of a text too long for one. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = '    ';
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = '      ';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

async function publish(context: Context, service: Service): Promise<VersionRow> {
  const quiet = !process.stderr.isTTY;
  let progress: ReturnType<typeof createProgress> | undefined;
  const onAdapter = (done: number, total: number) => {
    progress ??= createProgress('Building adapters', total, { unit: 'adapters', quiet });
    progress.update(done);
  };
  await catchUp({ ...service, onAdapter }, context.signal);
  progress?.stop();
  const latest = (await readVersions(service.database.pool)).at(-1);
  if (latest && !context.signal.aborted) return latest;
  throw new LegonetError('interrupted', 'stopped; run it again to go on');
}

async function remove(
  context: Context,
  service: Service,
  kind: 'sample' | 'subject',
  target: string,
): Promise<VersionRow> {
  const requestId = randomUUID();
  await requestDeletions(service, { requestId, kind, targets: [target], reason: 'demo' });
  return publish(context, service);
}

/** The proof by recomputation. */
async function check(
  { signal }: Context,
  { database, kernel, model }: Service,
  tell: Tell,
): Promise<boolean> {
  const built = await buildFromScratch(database, kernel, model, signal);
  const { modelDigest, samples, published } = built;
  const equal = published?.modelDigest === modelDigest;
  tell(
    equal
      ? `     Check: built from scratch on the ${samples} retained samples alone, it is the same to the last bit.`
      : `     CHECK FAILED: built from scratch it is ${modelDigest}.`,
  );
  return equal;
}

async function onlyRetained(
  { database }: Service,
  rows: readonly LabelledRow[],
): Promise<LabelledRow[]> {
  const found = await database.pool.query<{ id: string }>('SELECT sample_id AS id FROM samples');
  const retained = new Set(found.rows.map(({ id }) => id));
  return rows.filter(({ sampleId }) => retained.has(sampleId));
}

/** The demo may run again on the same data: what it deleted then stays deleted. */
async function firstRetained(service: Service, rows: readonly LabelledRow[]): Promise<LabelledRow> {
  for (const row of rows) {
    const { state } = await readSample(service.database.pool, row.sampleId);
    if (state === 'retained') return row;
  }
  throw new LegonetError(
    'demo_used_up',
    'every digit has been deleted: remove the data directory to begin again',
  );
}
