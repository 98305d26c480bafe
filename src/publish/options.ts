import type { EventLog } from '../log/event-log.js';
import type { Database } from '../store/database.js';

/** What brings something from the database to a topic of the log. */
export type PublishOptions = {
  readonly database: Database;
  readonly log: EventLog;
  readonly topic: string;
  /** Told each point passed; tests end the process there. */
  readonly reached?: (point: string) => void;
};
