// What a worker thread of the reproduction does: one exported function for each kind of task.
import { workerData } from 'node:worker_threads';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import { inferMembership } from './inference.mjs';
import { leastSquaresShards } from './shards.mjs';
import * as softmax from './softmax.mjs';
import { sweep } from './sweep.mjs';
import * as timing from './timing.mjs';

const kernel = await loadWasmKernel();

/** `work` on the encodings projected to a task's `components`, or on all of them; its rows say which. */
const on =
  (work) =>
  async ({ components, ...task }) => {
    const rows = [await work(kernel, workerData.get(components), task)].flat();
    return rows.map((row) => ({ components, ...row }));
  };

export const legonet = on(sweep);
export const shards = on(leastSquaresShards);
export const softmaxLegonet = on(softmax.softmaxLegonet);
export const softmaxShards = on(softmax.softmaxShards);
export const inference = on(inferMembership);
export const deletions = on(timing.timeDeletions);
export const shard = on(timing.timeShard);
export const softmaxDeletions = on(softmax.timeSoftmaxDeletions);
export const softmaxShard = on(softmax.timeSoftmaxShard);
