import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { LegonetError } from '../../errors.js';
import type { NewRecord } from '../../log/event-log.js';
import type { Stores } from '../../log/open.js';
import { inputForm } from '../../model/encoder.js';
import type { Model } from '../../model/model.js';
import { forgetIngested, readIngested, saveIngested } from '../../store/ingest-progress.js';
import { requireModel } from '../../store/model.js';
import type { Context, ExitCode } from '../context.js';
import { folderFingerprint, isFolder } from '../input/folder.js';
import { openInput } from '../input/input.js';
import type { Input, InputBatch, InputOptions } from '../input/rows.js';
import { createProgress } from '../progress.js';
import { withStores } from '../stores.js';
import { toRecord } from '../to-record.js';

type Options = { readonly labels?: string; readonly idPrefix?: string; readonly limit?: number };

/** What became of a file. */
export type Ingested = {
  readonly file: string;
  /** Events in the log, from this run and from an interrupted one before it. */
  readonly events: number;
  /** Of these, how many an interrupted run had put there. */
  readonly resumedAt: number;
  readonly rejected: number;
};

const BATCH_ROWS = 2000;
/** So many rows that cannot be events are told one by one. */
const TOLD = 10;

export async function run(
  context: Context,
  files: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const done = await withStores(context, async (stores) => {
    const model = await requireModel(stores.database.pool);
    const all: Ingested[] = [];
    // All are looked at before any is begun: a wrong name costs nothing.
    for (const file of files)
      checkTakes(model, file, await openInput(file, inputOptions(model, options)));
    for (const file of files) all.push(await ingestFile(context, stores, model, file, options));
    return all;
  });
  context.print(done, () =>
    done
      .map(
        ({ file, events, rejected }) =>
          `${file}: ${events} events in the log${rejected ? `, ${rejected} rows rejected` : ''}`,
      )
      .join('\n'),
  );
  return done.some(({ rejected }) => rejected > 0) ? 1 : 0;
}

/** Of images that a model does not take, each would be a dead letter. */
function checkTakes(model: Model, file: string, { format }: Input): void {
  if (format !== 'images' || inputForm(model) === 'media') return;
  const message = `${file}: this model takes no images, for its encoder is not of the kind tfjs`;
  throw new LegonetError('input_not_encodable', message);
}

/** Streams one file into the log; goes on where an interrupted run of the same file ended. */
export async function ingestFile(
  context: Context,
  stores: Stores,
  model: Model,
  file: string,
  given: Options,
): Promise<Ingested> {
  const { pool } = stores.database;
  const { limit } = given;
  const options = inputOptions(model, given);
  const mark = await progressMark(file, options);
  const from = await readIngested(pool, mark);
  if (from > 0) context.say(`${file}: going on after row ${from}, where the last run ended`);
  const left = limit === undefined ? {} : { limit: Math.max(0, limit - from) };
  const input = await openInput(file, { ...options, from, ...left });
  for (const note of input.notes ?? []) context.say(`${file}: ${note}`);
  const progress = createProgress(`Ingesting ${file}`, input.totalBytes, {
    unit: 'bytes',
    quiet: context.json,
  });
  let events = from;
  let rejected = 0;
  let writing: Promise<void> = Promise.resolve();
  const write = async (
    records: readonly NewRecord[],
    { firstRow, rows, bytesRead }: InputBatch,
  ) => {
    await stores.log.append(stores.settings.topics.sampleEvents, records);
    await saveIngested(pool, mark, firstRow + rows.length);
    events += records.length;
    progress.update(bytesRead);
  };
  try {
    for await (const batch of input.batches(context.signal)) {
      const { records, bad } = toRecords(model, batch);
      for (const reason of bad.slice(0, Math.max(0, TOLD - rejected)))
        context.say(`${file}: ${reason}`);
      rejected += bad.length;
      // The next batch is read while this one is written.
      await writing;
      writing = write(records, batch);
      writing.catch(() => {});
    }
  } catch (error) {
    if (!context.signal.aborted) throw error;
  } finally {
    await writing.finally(progress.stop);
  }
  if (context.signal.aborted) {
    throw new LegonetError(
      'interrupted',
      `${file}: stopped after ${events} events; the same command goes on from there`,
    );
  }
  await forgetIngested(pool, mark);
  return { file, events, resumedAt: from, rejected };
}

function inputOptions(model: Model, { labels, idPrefix, limit }: Options): InputOptions {
  return {
    classes: model.configuration.classes,
    texts: inputForm(model) === 'text',
    batchRows: BATCH_ROWS,
    ...(labels !== undefined && { labels }),
    ...(idPrefix !== undefined && { idPrefix }),
    ...(limit !== undefined && { limit }),
  };
}

/** Changes with the file and with what its rows would become. */
async function progressMark(file: string, options: InputOptions): Promise<string> {
  const path = resolve(file);
  const { labels = null, idPrefix = null } = options;
  const state = await ((await isFolder(path)) ? folderState(path, labels) : fileState(path));
  return JSON.stringify([path, ...state, labels, idPrefix]);
}

async function fileState(path: string): Promise<readonly (number | string)[]> {
  const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: 0 }));
  return [size, mtimeMs];
}

/** With a CSV of labels its lines are the rows, else the folder's images. */
async function folderState(path: string, labels: string | null) {
  return labels === null ? [await folderFingerprint(path)] : fileState(labels);
}

function toRecords(model: Model, { rows, firstRow }: InputBatch) {
  const records: NewRecord[] = [];
  const bad: string[] = [];
  rows.forEach((row, i) => {
    if (row.kind === 'bad') {
      bad.push(`row ${row.row}: ${row.reason}`);
      return;
    }
    try {
      records.push(toRecord(model, row));
    } catch (error) {
      if (!(error instanceof LegonetError)) throw error;
      bad.push(`row ${firstRow + i}: ${error.message}`);
    }
  });
  return { records, bad };
}
