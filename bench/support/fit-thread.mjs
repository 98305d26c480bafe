// A thread that does the arithmetic of adapters whose content it has been given before, and nothing else.
import { parentPort } from 'node:worker_threads';
import { loadWasmKernel } from '#src/kernel/wasm.js';
import { fitAdapter, fitFromStatistics } from '#src/model/adapter.js';
import { accumulate, decodeStatistics } from '#src/model/statistics.js';

const kernel = await loadWasmKernel();
let given;

parentPort.on('message', (message) => {
  if ('tasks' in message) given = message;
  else work(message.taken);
  parentPort.postMessage('done');
});

/** Takes the next task, the largest first, until none is left. */
function work(taken) {
  const { tasks, shape, lambda } = given;
  for (let at = Atomics.add(taken, 0, 1); at < tasks.length; at = Atomics.add(taken, 0, 1)) {
    const { rows, sums, count, removed } = tasks[at];
    if (!sums) fitAdapter(kernel, shape, lambda, rows);
    else {
      const kept = decodeStatistics(sums, count + 1, shape);
      fitFromStatistics(kernel, shape, lambda, accumulate(kernel, kept, shape, removed, -1));
    }
  }
}
