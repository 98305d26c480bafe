import { type Compute, inlineCompute } from '../build/compute.js';
import { type Training, threadCompute } from '../build/threads.js';
import type { Kernel } from '../model/kernel.js';
import type { Model } from '../model/model.js';

/** So many builds take less time than it takes to start a thread. */
const IN_LINE = 32;

/**
 * For a process that does little and then ends: its first builds in line, the others on threads. Softmax adapters
 * always on threads: next to what an engine takes to start, a thread is nothing.
 */
export function quickCompute(
  url: string,
  kernel: Kernel,
  model: Model,
  training: Training,
): Compute {
  const threads = threadCompute(url, model, training);
  if (training) return threads;
  const inline = inlineCompute(url, kernel, model);
  let builds = 0;
  return {
    activate: threads.activate,
    place: threads.place,
    build: (task, snapshot) => (builds++ < IN_LINE ? inline : threads).build(task, snapshot),
    parallel: threads.parallel,
    ready: () => (builds < IN_LINE ? inline : threads).ready(),
    kept: async () => {
      await Promise.all([inline.kept(), threads.kept()]);
    },
    close: async () => {
      await Promise.allSettled([inline.close(), threads.close()]);
    },
  };
}
