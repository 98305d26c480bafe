import {
  EVENT_CONTENT_TYPE,
  encodeEvent,
  recordKey,
  sampleDeleted,
  subjectErased,
} from '../events/cloud-event.js';
import { eventId } from '../events/own-records.js';
import type { Place } from '../log/event-log.js';
import type { Stores } from '../log/open.js';

/** A request for the deletion of samples, or of all samples of subjects. */
export type Request = {
  readonly requestId: string;
  readonly kind: 'sample' | 'subject';
  readonly targets: readonly string[];
  readonly reason?: string;
};

const SOURCE = 'urn:legonet:command-line';
/** Records to an append: bounds a statement's size. */
const BATCH = 1000;

/**
 * Puts a deletion event for each target into the log, and returns where. The same request again changes nothing, but for
 * what has come of a subject since.
 */
export async function requestDeletions(
  { log, settings }: Pick<Stores, 'log' | 'settings'>,
  { requestId, kind, targets, reason }: Request,
  now = new Date(),
): Promise<Place[]> {
  const time = now.toISOString();
  const about = { requestId, requestedAt: time, ...(reason !== undefined && { reason }) };
  const records = targets.map((target) => {
    // Of any length: both may be as long as an id may be.
    const meta = { id: eventId(kind, requestId, target), source: SOURCE, time };
    const event =
      kind === 'sample'
        ? sampleDeleted({ sampleId: target, ...about }, meta)
        : subjectErased({ subjectId: target, ...about }, meta);
    const headers = { 'content-type': EVENT_CONTENT_TYPE };
    return { key: recordKey(event), value: encodeEvent(event), headers };
  });
  const places: Place[] = [];
  for (let from = 0; from < records.length; from += BATCH) {
    const batch = records.slice(from, from + BATCH);
    places.push(...(await log.append(settings.topics.sampleEvents, batch)));
  }
  return places;
}
