import { chooseEngine, chooseTrainingEngine } from '../../engine/choose.js';
import { describeApart } from '../../engine/describe-apart.js';
import type { Engine, EngineDescription } from '../../engine/engine.js';
import { engineNamed } from '../../engine/trainer.js';
import type { Finding } from '../../log/finding.js';
import { type Backend, backendRemedy, describeBackend, differences } from '../../model/backend.js';
import type { Model } from '../../model/model.js';
import type { Settings } from '../../settings.js';
import type { Database, Queryable } from '../../store/database.js';
import { readEncoderDigest } from '../../store/encoder.js';
import { loadModel, readBackend } from '../../store/model.js';

const INSTALL = 'Run `npm run install:tensorflow`';
const REMEDIES: Readonly<Record<Engine, string>> = {
  native: `${INSTALL}, or set LEGONET_ENGINE=wasm.`,
  wasm: 'Install Legonet anew: `npm ci`.',
};
const PREDICTING = 'A process that only predicts does without.';

/** Opens the engine, once however often it is asked for. */
type Open = (engine: Engine) => Promise<EngineDescription>;

/**
 * What the model in force takes besides the kernel: TensorFlow, the backend that it is pinned to, the encoder's files.
 * Nothing is found, and nothing loaded, where it takes none of it.
 */
export async function examineEngine(
  settings: Settings,
  { pool }: Database,
  signal?: AbortSignal,
): Promise<Finding[]> {
  const model = await modelNeeding(pool);
  if (!model) return [];
  const { encoder, adapter } = model.configuration;
  const opened = new Map<Engine, Promise<EngineDescription>>();
  const open: Open = (engine) => {
    const description = opened.get(engine) ?? describeApart(engine, signal);
    opened.set(engine, description);
    return description;
  };
  const encoding =
    encoder.kind === 'tfjs'
      ? [await filesFinding(pool, encoder.sha256), await encoderFinding(settings.engine, open)]
      : [];
  if (adapter.kind !== 'softmax') return encoding;
  return [...encoding, ...(await trainingFindings(settings.engine, await readBackend(pool), open))];
}

/** That a model cannot be read is a finding of another name. */
async function modelNeeding(client: Queryable): Promise<Model | null> {
  const model = await loadModel(client).catch(() => null);
  const { encoder, adapter } = model?.configuration ?? {};
  return encoder?.kind === 'tfjs' || adapter?.kind === 'softmax' ? model : null;
}

async function filesFinding(client: Queryable, sha256: string): Promise<Finding> {
  const stored = await readEncoderDigest(client);
  const wrong =
    stored === null
      ? 'there are none in the database'
      : `their digest is ${stored}, and the model names ${sha256}`;
  return {
    name: 'encoder files',
    ok: stored === sha256,
    detail: stored === sha256 ? 'they have the digest that the model names' : wrong,
    remedy: 'Restore a backup: until then images wait, and everything behind them.',
  };
}

async function encoderFinding(asked: Engine | undefined, open: Open): Promise<Finding> {
  const name = 'encoder engine';
  try {
    return starts(name, await open(chooseEngine(asked)));
  } catch (error) {
    return { name, ok: false, detail: message(error), remedy: REMEDIES[chosen(asked)] };
  }
}

/** The engine that would train here, and whether it is the one that the model is pinned to. */
async function trainingFindings(
  asked: Engine | undefined,
  pinned: Backend | null,
  open: Open,
): Promise<Finding[]> {
  const name = 'training engine';
  const wanted = asked ?? engineNamed(pinned);
  try {
    const own = await open(chooseTrainingEngine(asked, engineNamed(pinned)));
    return [starts(name, own), backendFinding(pinned, own)];
  } catch (error) {
    const isPinned = pinned?.engine === 'native' && wanted === 'native';
    const mend = isPinned ? `${INSTALL}: the model is pinned to it.` : REMEDIES[chosen(wanted)];
    return [{ name, ok: false, detail: message(error), remedy: `${mend} ${PREDICTING}` }];
  }
}

/** Also where it is not installed. */
const chosen = (asked: Engine | undefined): Engine => asked ?? chooseEngine(undefined);

function backendFinding(pinned: Backend | null, own: Backend): Finding {
  const name = 'training backend';
  if (!pinned) return { name, ok: true, detail: 'the first process to start fixes its own' };
  const differ = differences(pinned, own);
  return {
    name,
    ok: differ === '',
    detail: differ === '' ? 'it is the model’s' : `it is not the model’s: ${differ}`,
    remedy: `To build here, ${backendRemedy(pinned)}. ${PREDICTING}`,
  };
}

const starts = (name: string, description: EngineDescription): Finding => ({
  name,
  ok: true,
  detail: `it starts: ${describeBackend(description)}`,
});

const message = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
