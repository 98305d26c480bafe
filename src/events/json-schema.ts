import { z } from 'zod';
import { EVENT_TYPES, type EventType, id, time } from './schemas.js';

const trace = z.string().optional();

/** JSON Schema of a whole CloudEvent of the type, in JSON format; 2020-12 unless asked for another. */
export function eventSchema(
  type: EventType,
  target: 'draft-2020-12' | 'draft-07' = 'draft-2020-12',
): Record<string, unknown> {
  const data = EVENT_TYPES[type];
  const envelope = z.object({
    specversion: z.literal('1.0'),
    id: id.describe('The same id from the same source is the same event.'),
    source: id,
    type: z.literal(type),
    time: time.optional().describe('When it happened; without it, when the log took it in.'),
    traceparent: trace.describe('Of the trace that it belongs to; ignored if it is not valid.'),
    tracestate: trace.describe('More of the trace, in the terms of those who trace.'),
    datacontenttype: z.string().optional().describe('A JSON media type; JSON if left out.'),
    data,
  });
  const { $schema, ...schema } = z.toJSONSchema(envelope, {
    io: 'input',
    unrepresentable: 'any',
    target,
  });
  const description = z.globalRegistry.get(data)?.description;
  return { $schema, $id: `urn:legonet:schema:${type}`, title: type, description, ...schema };
}

export function schemaFile(type: EventType): string {
  return `${type}.schema.json`;
}
