export type { BatchLimits } from './client/batcher.js';
export type { EncodingInput, Predicted } from './client/local-model.js';
export type {
  DatabaseOptions,
  DataDirOptions,
  KafkaOptions,
  LogOptions,
} from './client/options.js';
export {
  type Deletion,
  type Erasure,
  type EventOptions,
  Producer,
  type ProducerOptions,
  type Sample,
  type Sent,
} from './client/producer.js';
export {
  type HttpOptions,
  type KafkaAndHttpOptions,
  Subscriber,
  type SubscriberOptions,
  type Update,
} from './client/subscriber.js';
export { LegonetError, type Retry } from './errors.js';
export { EventError, type EventErrorCode } from './events/error.js';
export type { Prediction } from './model/predict.js';
export {
  type Check,
  type CheckName,
  type Opening,
  openingOf,
  parseReceipt,
  type Receipt,
  type Verification,
  type VerifyOptions,
  verifyCertificate,
  verifyReceipt,
} from './verify.js';
