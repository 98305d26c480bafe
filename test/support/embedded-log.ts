import { EmbeddedLog } from '#src/log/embedded.js';
import { openDatabase } from '#src/store/database.js';

export const TOPIC = 'legonet.sample-events';

/** The embedded log of a database, as one process has it and as others do; for the log's contract. */
export function openEmbeddedLogs({ url, drop }: { url: string; drop(): Promise<void> }) {
  const closing: (() => Promise<void>)[] = [];
  const open = () => {
    const database = openDatabase(url, 4);
    const log = new EmbeddedLog(database);
    closing.push(async () => {
      await log.close();
      await database.close();
    });
    return log;
  };
  return {
    log: open(),
    topic: TOPIC,
    partitions: 1,
    another: async () => open(),
    close: async () => {
      await Promise.all(closing.map((close) => close()));
      await drop();
    },
  };
}
