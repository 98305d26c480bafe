import {
  encodeEvent,
  type MetaInput,
  versionPublished,
  versionRetired,
} from '../events/cloud-event.js';
import type { Model } from '../model/model.js';
import { byteaArray, int4Array, textArray } from '../store/arrays.js';
import { type Queryable, queryPrepared } from '../store/database.js';
import type { NewVersion, Retirement } from './commit.js';
import { cutJson } from './plan.js';

type Announcement = {
  readonly kind: 'published' | 'retired';
  readonly version: number;
  readonly eventId: string;
  readonly key: string;
  readonly value: Uint8Array;
};

/**
 * Puts the events of a new version, and of those that it retires, into the outbox, in the transaction
 * that commits it. An event's id follows from what it says, so that a repeated one can be told.
 */
export async function announce(
  client: Queryable,
  model: Model,
  next: NewVersion,
  retired: readonly Retirement[],
  now: Date,
): Promise<void> {
  const rows = [
    published(model, next, now),
    ...retired.map((retirement) => retirementOf(model, next, retirement, now)),
  ];
  await queryPrepared(
    client,
    `WITH written AS (
       INSERT INTO outbox (event_id, version, kind, key, value, traceparent)
       SELECT *, $6 FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::bytea[])
     ) SELECT pg_notify('legonet_outbox', '')`,
    [
      textArray(rows.map(({ eventId }) => eventId)),
      int4Array(rows.map(({ version }) => version)),
      textArray(rows.map(({ kind }) => kind)),
      textArray(rows.map(({ key }) => key)),
      byteaArray(rows.map(({ value }) => value)),
      next.traceparent,
    ],
  );
}

function published(model: Model, next: NewVersion, now: Date): Announcement {
  const { version, parent, plan, built, modelDigest, configDigest } = next;
  const { name } = model.configuration;
  const eventId = `${modelDigest}:${version}:published`;
  const event = versionPublished(
    {
      model: name,
      version,
      parent,
      modelDigest,
      configDigest,
      cut: cutJson(plan.cut),
      rebuilt: [...built.keys()],
      carried: plan.digests.length - built.size,
      deletions: [...plan.deletions],
      retained: Number(plan.retained),
      weights: plan.digests.map((digest, adapter) => ({
        adapter,
        digest: built.get(adapter)?.digest ?? digest ?? '',
      })),
    },
    meta(name, eventId, now, next),
  );
  return {
    kind: 'published',
    version,
    eventId,
    key: `${name}:${version}`,
    value: encodeEvent(event),
  };
}

function retirementOf(
  model: Model,
  next: NewVersion,
  { version, erasedWeights }: Retirement,
  now: Date,
): Announcement {
  const { name } = model.configuration;
  const eventId = `${model.digest}:${version}:retired`;
  const data = { model: name, version, because: next.version, erasedWeights: [...erasedWeights] };
  const event = versionRetired(data, meta(name, eventId, now, next));
  return {
    kind: 'retired',
    version,
    eventId,
    key: `${name}:${version}`,
    value: encodeEvent(event),
  };
}

function meta(name: string, id: string, now: Date, { traceparent }: NewVersion): MetaInput {
  const known = { id, source: `urn:legonet:model:${name}`, time: now.toISOString() };
  return traceparent === null ? known : { ...known, trace: { traceparent } };
}
