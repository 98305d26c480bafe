import { LegonetError } from '../errors.js';
import { settle } from '../outcome.js';
import { describeEngine } from './describe.js';
import { ENGINES } from './engine.js';
import { openTensorFlow } from './tensorflow.js';

/*
 * A process that opens the engine named by its argument and sends what it is, or why it does not start, to its parent.
 */

const engine = process.argv[2] === ENGINES[0] ? ENGINES[0] : ENGINES[1];
const outcome = await settle(async () => {
  try {
    return describeEngine(await openTensorFlow(engine));
  } catch (error) {
    if (!(error instanceof LegonetError) || !(error.cause instanceof Error)) throw error;
    // Its cause stays on this side.
    throw new LegonetError(error.code, `${error.message} (${error.cause.message})`, error.retry);
  }
});
process.send?.(outcome, () => process.exit());
