import type { Hono } from 'hono';
import { interpret } from '../projection/interpret.js';
import { BODY_BYTES, Bodies } from './body.js';
import type { Deps } from './deps.js';
import { type Incoming, readEvents } from './incoming.js';
import { HttpError } from './problem.js';
import { json, route } from './route.js';

/** What is wrong with one of the events that were sent; `index` is 0 for a single one. */
type Fault = { readonly index: number; readonly code: string; readonly detail: string };

/** Puts events into the log: all of a request, or none. */
export function addEvents(app: Hono, { access, log, model, topics }: Deps): void {
  const bodies = new Bodies();

  route(app, access, '/v1/events', ['events:write'], {
    POST: (context) =>
      bodies.use(context, BODY_BYTES, async (body) => {
        const events = readEvents(context.req.header(), body);
        const ids: string[] = [];
        const faults: Fault[] = [];
        events.forEach((event, index) => {
          const read = check(event);
          if (typeof read === 'string') ids.push(read);
          else faults.push({ index, ...read });
        });
        if (faults.length > 0) throw refused(faults, events.length);
        await log.append(
          topics.sampleEvents,
          events.map(({ key, value, headers }) => ({ key, value, headers })),
        );
        return json({ ids }, {}, 202);
      }),
  });

  /** The event's id, or why it is none that the model can take. As the projection will read it. */
  function check(event: Incoming): string | Omit<Fault, 'index'> {
    const time = BigInt(Date.now()) * 1000n;
    const read = interpret(model, { ...event, partition: 0, position: 0n, time });
    if (read.kind === 'content' || read.kind === 'deletion') return read.event.eventId;
    if (read.kind === 'roll') return { code: 'unknown_type', detail: 'not an event of a sample' };
    return { code: read.code, detail: read.reason };
  }
}

/** The first fault is the problem; all of them are listed. */
function refused(problems: readonly Fault[], count: number): HttpError {
  const [first] = problems;
  const tooLarge = problems.some(({ code }) => code === 'oversize');
  const detail =
    `${problems.length} of ${count} events cannot be taken, so none is. ` +
    `The first is at index ${first?.index}: ${first?.detail}`;
  return new HttpError('invalid_events', tooLarge ? 413 : 400, detail, { members: { problems } });
}
