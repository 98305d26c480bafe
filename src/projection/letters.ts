import { encodeEvent, int8Data, sampleIngested } from '../events/cloud-event.js';
import type { ContentEvent } from '../events/event.js';
import { encodedRecord } from '../events/own-records.js';
import type { LogRecord } from '../events/record.js';
import { formatTime } from '../events/time.js';
import type { Version } from '../events/version.js';
import type { Letter, Position, StoredSample } from './changes.js';
import { type Interpreted, isFromInput } from './interpret.js';
import type { Track } from './tracks.js';
import { positionOf } from './tracks.js';

const CONFLICT = 'conflicting_content';

/** The dead letters of a batch. Conflicts are one to a sample and content, whatever came how often. */
export class Letters {
  readonly #classes: readonly string[];
  readonly #encoder: string;
  readonly #rejected: Letter[] = [];
  readonly #conflicts = new Map<string, Letter>();
  readonly #withdrawn = new Map<string, Pick<Letter, 'key' | 'digest'>>();

  /** Names of the classes, and the encoder's digest. */
  constructor(classes: readonly string[], encoder: string) {
    this.#classes = classes;
    this.#encoder = encoder;
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
    const record = replaces
      ? this.#reconstructed({ ...displaced, kind: 'ingested', sampleId, label }, sample, displaced)
      : { value: null, headers: {} };
    const reason = 'an earlier ingest of this sample, with other content, has arrived since';
    const letter = { at, key: sampleId, ...record, time: displaced.time };
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

  #reconstructed(
    event: ContentEvent,
    { label, encoding }: StoredSample,
    version: Version,
  ): Pick<Letter, 'value' | 'headers'> {
    if (isFromInput(label, encoding, version)) {
      const { digest } = version;
      return encodedRecord(event, encoding, { encoder: this.#encoder, digest });
    }
    const { sampleId, eventId: id, source, time } = event;
    const data = { sampleId, label: event.label, encoding: int8Data(encoding) };
    const written = sampleIngested(data, { id, source, time: formatTime(time) });
    return { value: encodeEvent(written), headers: {} };
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
