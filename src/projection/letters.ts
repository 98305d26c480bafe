import { encodeEvent, int8Data, sampleIngested } from '../events/cloud-event.js';
import type { LogRecord } from '../events/record.js';
import { formatTime } from '../events/time.js';
import type { Version } from '../events/version.js';
import type { Letter, Position } from './changes.js';
import type { Interpreted } from './interpret.js';
import type { Track } from './tracks.js';
import { positionOf } from './tracks.js';

const CONFLICT = 'conflicting_content';

/** The dead letters of a batch. Conflicts are one to a sample and content, whatever came how often. */
export class Letters {
  readonly #classes: readonly string[];
  readonly #rejected: Letter[] = [];
  readonly #conflicts = new Map<string, Letter>();
  readonly #withdrawn = new Map<string, Pick<Letter, 'key' | 'digest'>>();

  constructor(classes: readonly string[]) {
    this.#classes = classes;
  }

  reject({ record, code, reason }: Extract<Interpreted, { kind: 'rejected' }>): void {
    this.#rejected.push(letterOf(record, code, reason));
  }

  /** An ingest whose content is not the content that stands. */
  conflict(record: LogRecord, digest: string): void {
    const reason = 'another ingest of this sample, with other content, stands';
    this.#add({ ...letterOf(record, CONFLICT, reason), digest });
  }

  /** The ingest that stood until an earlier one arrived. Its record is made again from the sample. */
  displaced(
    sampleId: string,
    { sample }: Track,
    { displaced, replaces }: { readonly displaced: Version; readonly replaces: boolean },
  ): void {
    const at: Position | null = sample?.ingestAt ?? null;
    if (!sample || !at) return;
    const label = this.#classes[sample.label] ?? '';
    const value = replaces ? reconstructed(sampleId, label, sample.encoding, displaced) : null;
    const reason = 'an earlier ingest of this sample, with other content, has arrived since';
    const letter = { at, key: sampleId, value, headers: {}, time: displaced.time };
    this.#add({ ...letter, code: CONFLICT, reason, digest: displaced.digest });
  }

  /** Content that stands is in conflict no more. */
  withdraw(key: string, digest: string): void {
    this.#conflicts.delete(`${digest} ${key}`);
    this.#withdrawn.set(`${digest} ${key}`, { key, digest });
  }

  /** Of a deleted sample nothing is kept but that a record was rejected, where and why. */
  changes(isDeleted: (key: string) => boolean) {
    const conflicts = [...this.#conflicts.values()].filter(({ key }) => !isDeleted(key ?? ''));
    const rejected = this.#rejected.map((letter) =>
      letter.key !== null && isDeleted(letter.key)
        ? { ...letter, value: null, headers: {} }
        : letter,
    );
    return { letters: [...rejected, ...conflicts], withdrawn: [...this.#withdrawn.values()] };
  }

  #add(letter: Letter): void {
    const id = `${letter.digest} ${letter.key}`;
    if (!this.#conflicts.has(id)) this.#conflicts.set(id, letter);
  }
}

/** A record as a dead letter, raw. */
export function letterOf(record: LogRecord, code: string, reason: string): Letter {
  const { key, value, headers, time } = record;
  return { at: positionOf(record), key, value, headers, time, code, reason, digest: null };
}

function reconstructed(
  sampleId: string,
  label: string,
  encoding: Int8Array,
  { eventId, source, time }: Version,
): Uint8Array {
  const data = { sampleId, label, encoding: int8Data(encoding) };
  return encodeEvent(sampleIngested(data, { id: eventId, source, time: formatTime(time) }));
}
