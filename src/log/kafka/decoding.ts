import { AsyncLocalStorage } from 'node:async_hooks';
import { createRequire } from 'node:module';
import type { EachBatchPayload, KafkaMessage } from 'kafkajs';

/*
 * kafkajs 2.2.4 does not know how far a fetch has come when compaction has taken the last records of
 * what it got: it asks for one offset after the other where a batch was thinned out, and where a batch
 * was emptied (the broker keeps the last one of each idempotent producer) it asks for the same one for
 * ever (tulios/kafkajs #1072). The end of a batch is in its header, which kafkajs reads and drops.
 *
 * So what was fetched gets one more message, a mark at the offset where the last batch ends. Only within
 * `withMarks`: other users of kafkajs in the process see what they always saw.
 */

const require = createRequire(import.meta.url);
const FETCH = 'kafkajs/src/protocol/requests/fetch';
const MARK = Symbol('end of what was fetched');

type Decoder = {
  readonly buffer: Buffer;
  offset: number;
  readInt32(): number;
  canReadBytes(length: number): boolean;
  readBytes(length: number): Buffer;
};
type RecordBatch = {
  readonly firstOffset: string;
  readonly lastOffsetDelta: number;
  readonly records: readonly KafkaMessage[];
};
type DecodeMessages = (decoder: Decoder) => Promise<KafkaMessage[]>;

const LENGTH = 4;
const MAGIC = { at: 16, recordBatch: 2 };
/** Bytes without which there is no batch at all. */
const OVERHEAD = 49;

const marking = new AsyncLocalStorage<true>();

/** Runs a consumer whose batches end with a mark. */
export function withMarks<T>(run: () => T): T {
  install();
  return marking.run(true, run);
}

/** What is a record, and the position after everything that was fetched. */
export function readMarked({ batch }: Pick<EachBatchPayload, 'batch'>): {
  readonly messages: readonly KafkaMessage[];
  readonly next: bigint;
} {
  const messages = batch.messages.filter((message) => !(MARK in message));
  return { messages, next: BigInt(batch.lastOffset()) + 1n };
}

let installed = false;

function install(): void {
  if (installed) return;
  installed = true;
  const path = require.resolve(`${FETCH}/v4/decodeMessages.js`);
  const original: DecodeMessages = require(path);
  const module = require.cache[path];
  if (!module) throw new Error('kafkajs is not as expected: version 2.2.4 is needed');
  module.exports = (decoder: Decoder) =>
    marking.getStore() ? decodeWithMark(original, decoder) : original(decoder);
  // Loaded at each request: those that were loaded before have the original still.
  for (const name of Object.keys(require.cache)) {
    if (/kafkajs.src.protocol.requests.fetch.v\d+.response\.js$/.test(name)) {
      delete require.cache[name];
    }
  }
}

async function decodeWithMark(original: DecodeMessages, decoder: Decoder): Promise<KafkaMessage[]> {
  const { buffer, offset } = decoder;
  const size = buffer.readInt32BE(offset);
  const from = offset + LENGTH;
  const isRecordBatch =
    size > OVERHEAD &&
    buffer.length >= from + size &&
    buffer.readInt8(from + MAGIC.at) === MAGIC.recordBatch;
  if (!isRecordBatch) return original(decoder);
  decoder.readInt32();
  return decodeBatches(decoder.readBytes(size));
}

async function decodeBatches(buffer: Buffer): Promise<KafkaMessage[]> {
  const DecoderClass: new (buffer: Buffer) => Decoder = require('kafkajs/src/protocol/decoder');
  const decodeBatch: (decoder: Decoder) => Promise<RecordBatch> =
    require('kafkajs/src/protocol/recordBatch/v0/decoder');
  const decoder = new DecoderClass(buffer);
  const messages: KafkaMessage[] = [];
  let end: bigint | null = null;
  while (decoder.canReadBytes(OVERHEAD)) {
    const batch = await decodeBatch(decoder).catch((error: Error) => {
      // The last batch may be cut off where the fetch's limit was.
      if (error.name === 'KafkaJSPartialMessageError') return null;
      throw error;
    });
    if (!batch) break;
    // One by one: there may be more than a call can have arguments.
    for (const message of batch.records) messages.push(message);
    end = BigInt(batch.firstOffset) + BigInt(batch.lastOffsetDelta);
  }
  if (end !== null) messages.push(markAt(end));
  return messages;
}

function markAt(end: bigint): KafkaMessage {
  const context = { producerId: '-1', inTransaction: false };
  const message = { key: null, value: null, headers: {}, timestamp: '0', attributes: 0 };
  const mark = { ...message, offset: String(end), batchContext: context, [MARK]: true };
  return mark as unknown as KafkaMessage;
}
