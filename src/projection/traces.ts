import type { Causes, TraceContext } from '../tracing.js';
import type { Item } from './fold.js';

/** The traces that a batch's events belong to, each context once. */
export function causesOf(items: readonly Item[]): Causes {
  const deletions = new Map<string, TraceContext>();
  const others = new Map<string, TraceContext>();
  for (const item of items) {
    if (item.kind === 'rejected' || item.kind === 'roll') continue;
    const { trace } = item.event;
    if (!trace) continue;
    (item.kind === 'deletion' ? deletions : others).set(trace.traceparent, trace);
  }
  return { deletions: [...deletions.values()], others: [...others.values()] };
}
