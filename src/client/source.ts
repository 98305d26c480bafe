import type { LogRecord } from '../events/record.js';

/** Who is told what a source of news has to say. */
export type Listener = {
  /** A CloudEvent of the model-versions topic, unread. */
  hear(value: Uint8Array, headers?: LogRecord['headers']): void;
  /** Something may have been missed: look what the newest version is. */
  missed(): void;
  connected(yes: boolean): void;
  trouble(error: unknown): void;
};

/** Tells its listener until the signal aborts; reconnects by itself. */
export type Source = (listener: Listener, signal: AbortSignal) => Promise<void>;
