import { eventSchema } from '../events/json-schema.js';
import type { EventType } from '../events/schemas.js';
import type { Model } from '../model/model.js';
import { interpret } from '../projection/interpret.js';
import { json } from './answer.js';
import * as answers from './answers.js';
import { BODY_BYTES } from './body.js';
import { BATCH, type Incoming, readEvents } from './incoming.js';
import { HttpError } from './problem.js';
import { type JsonSchema, type Route, route } from './route.js';
import { allows, type Scope } from './tokens.js';

/** What is wrong with one of the events that were sent; `index` is 0 for a single one. */
type Fault = { readonly index: number; readonly code: string; readonly detail: string };
/** An event that can be taken, and the scope that it needs. */
type Checked = { readonly id: string; readonly scope: Scope };

const TAKEN = [
  'legonet.sample.ingested.v1',
  'legonet.sample.corrected.v1',
  'legonet.sample.deleted.v1',
  'legonet.subject.erased.v1',
] as const satisfies readonly EventType[];

const anyEvent: JsonSchema = {
  oneOf: TAKEN.map((type) => ({ $ref: `#/components/schemas/${type}` })),
};

/** Components of the OpenAPI document: the events that are taken. */
export const eventComponents: Readonly<Record<string, JsonSchema>> = Object.fromEntries(
  TAKEN.map((type) => {
    const { $schema, $id, ...schema } = eventSchema(type);
    return [type, schema];
  }),
);

/** Puts events into the log: all of a request, or none. */
export const eventRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/events',
    summary: 'Send events: all of a request are taken, or none',
    description:
      'By CloudEvents’ binding to HTTP: structured, a batch, or binary, which has `data` alone in the body ' +
      'and the attributes in `ce-` headers. Samples need the scope `ingest`, deletions `delete`.',
    scopes: ['ingest', 'delete'],
    body: {
      limit: BODY_BYTES,
      raw: {
        'application/cloudevents+json': anyEvent,
        'application/cloudevents-batch+json': { type: 'array', items: anyEvent, maxItems: BATCH },
        'application/json': { type: 'object', description: 'An event’s data.' },
      },
    },
    answers: {
      202: {
        description: 'The events are in the log.',
        content: { 'application/json': answers.accepted },
      },
    },
    problems: {
      400: 'invalid_events',
      413: 'batch_too_large, invalid_events',
      415: 'unsupported_media_type',
    },
    handle: async ({ headers, body, scopes }, { log, model, topics }) => {
      const bytes = body instanceof Uint8Array ? body : new Uint8Array();
      const events = readEvents(headers, bytes);
      const checked = events.map((event) => check(model, event));
      const faults = checked.flatMap((one, index) => ('code' in one ? [{ index, ...one }] : []));
      const taken = checked.filter((one) => 'id' in one);
      const lacking = taken.find(({ scope }) => !allows(scopes, [scope]))?.scope;
      if (lacking !== undefined) {
        const message = `the token has not the scope ${lacking}, which an event of these needs`;
        throw new HttpError('scope_missing', 403, message);
      }
      if (faults.length > 0) throw refused(faults, events.length);
      await log.append(
        topics.sampleEvents,
        events.map(({ key, value, headers: own }) => ({ key, value, headers: own })),
      );
      return json({ ids: taken.map(({ id }) => id) }, {}, 202);
    },
  }),
];

/** Read as the projection will read it: whether the model can take it. */
function check(model: Model, event: Incoming): Checked | Omit<Fault, 'index'> {
  const time = BigInt(Date.now()) * 1000n;
  const read = interpret(model, { ...event, partition: 0, position: 0n, time });
  if (read.kind === 'content' || read.kind === 'input')
    return { id: read.event.eventId, scope: 'ingest' };
  if (read.kind === 'deletion') return { id: read.event.eventId, scope: 'delete' };
  if (read.kind === 'roll') return { code: 'unknown_type', detail: 'not an event of a sample' };
  return { code: read.code, detail: read.reason };
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
