import type { Logger } from 'pino';
import type { Engine } from '../engine/engine.js';
import type { EventLog } from '../log/event-log.js';
import type { Encoder } from '../model/encoder.js';
import type { Kernel } from '../model/kernel.js';
import type { Model } from '../model/model.js';
import type { Topics } from '../settings.js';
import type { Database } from '../store/database.js';
import type { Access } from './access.js';
import type { Bodies } from './body.js';
import type { StoredFiles } from './files.js';
import type { Document } from './open-api.js';
import type { Predictor } from './predictor.js';
import type { Streams } from './streams.js';

/** Whether traffic should come here, and what an operator should know. */
export type Readiness = {
  readonly ready: boolean;
  /** What stands in the way. */
  readonly reasons: readonly string[];
  /** What does not, and needs a look. */
  readonly warnings: readonly string[];
};

/** A request that was answered, by the pattern of its path. */
export type Answered = { readonly route: string; readonly method: string; readonly status: number };

/** What the HTTP service works with. */
export type ServeOptions = {
  /** A pool of its own: slow readers must not keep the roles waiting. */
  readonly database: Database;
  readonly log: EventLog;
  readonly topics: Topics;
  readonly erasureDeadlineMs: number;
  readonly model: Model;
  readonly kernel: Kernel;
  /** Of raw inputs; null where events bring encodings. */
  readonly encoder: Encoder | null;
  /** What TensorFlow runs on; null where nothing needs it. */
  readonly engine: Engine | null;
  readonly access: Access;
  /** Requests a minute that one token, or one address without, may make. */
  readonly ratePerMinute: number;
  readonly logger: Logger;
  readonly readiness: () => Promise<Readiness>;
  /** Metrics in the text format of Prometheus. */
  readonly metrics: { readonly contentType: string; read(): Promise<string> };
  readonly onAnswered?: (answered: Answered) => void;
  /** Milliseconds between signs of life on a stream. */
  readonly heartbeatMs?: number;
  /** Milliseconds after which a connection is closed on which nothing moves. */
  readonly stillMs?: number;
};

/** And what lives as long as the server. */
export type Deps = ServeOptions & {
  readonly streams: Streams;
  readonly bodies: Bodies;
  readonly files: StoredFiles;
  readonly predictor: Predictor;
  /** OpenAPI 3.1 of all routes. */
  readonly document: () => Promise<Document>;
};
