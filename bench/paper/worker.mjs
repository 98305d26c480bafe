// What a worker thread of the reproduction does: one exported function for each kind of task.
import { workerData } from 'node:worker_threads';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import { inferMembership } from './inference.mjs';
import { leastSquaresShards } from './shards.mjs';
import * as softmax from './softmax.mjs';
import { sweep } from './sweep.mjs';
import * as timing from './timing.mjs';

const kernel = await loadWasmKernel();

export const legonet = ({ settings }) => sweep(kernel, workerData, settings);
export const shards = (task) => leastSquaresShards(kernel, workerData, task);
export const softmaxLegonet = (task) => softmax.softmaxLegonet(kernel, workerData, task);
export const softmaxShards = (task) => softmax.softmaxShards(kernel, workerData, task);
export const inference = (task) => inferMembership(kernel, workerData, task);
export const deletions = (task) => timing.timeDeletions(kernel, workerData, task);
export const shard = (task) => timing.timeShard(kernel, workerData, task);
export const softmaxShard = (task) => softmax.timeSoftmaxShard(kernel, workerData, task);
